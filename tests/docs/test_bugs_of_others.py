"""What others get wrong, as their trackers tell it: each case, and the tests of ours that hold it.

A case is one that people of another product have met (its tracker is named). A new one is a row, with a test.
"""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from .pages import ROOT


@dataclass(frozen=True)
class Bug:
    """One case of another product, where it was told, and what holds it here."""

    case: str
    told: str
    held_by: tuple[str, ...]


def bug(case: str, told: str, *held_by: str) -> Bug:
    return Bug(case, told, held_by)


BUGS = (
    bug(
        "every queue member that did not pick up gets a missed call",
        "ringcentral/hubspot-embeddable-ringcentral-phone#164",
        "calls/test_rings.py::test_a_ring_group_is_one_call_and_who_did_not_pick_up_missed_nothing",
        "browser/test_lists.py::test_a_call_that_a_colleague_took_is_missed_by_nobody",
    ),
    bug(
        "a queue call that was answered appears twice, once as missed",
        "NethServer/dev#7015",
        "calls/test_rings.py::test_a_queue_tells_its_losers_twice_and_after_the_winner",
    ),
    bug(
        "a telephone that does not want to be disturbed makes an answered call a missed one",
        "NethServer/dev#7870",
        "calls/test_rings.py::test_a_do_not_disturb_beside_a_second_telephone_does_not_miss_the_call",
    ),
    bug(
        "a tab that was frozen while it rang rings for ever",
        "NethServer/dev#7753",
        "browser/test_calls.py::test_a_tab_that_was_frozen_shows_what_is_so_when_it_wakes",
    ),
    bug(
        "the panel shows busy without numbers until it is loaded anew",
        "NethServer/dev#7632",
        "browser/test_calls.py::test_a_reload_shows_what_is_so_then",
        "web/test_stream.py::test_it_begins_with_the_calls_under_way_and_goes_on_with_changes",
    ),
    bug(
        "after a transfer into a queue the ring shows the transferrer instead of the caller",
        "NethServer/dev#7115",
        "calls/test_passing_on.py::test_after_a_transfer_into_a_queue_the_ring_shows_the_caller",
    ),
    bug(
        "an outbound call that is passed on inside shows the firm's own number",
        "NethServer/dev#8055",
        "calls/test_passing_on.py::test_an_outbound_call_that_is_passed_on_inside_keeps_the_number_dialled",
    ),
    bug(
        "a click starts on another device than the chosen one",
        "NethServer/dev#7060",
        "browser/test_lists.py::test_the_dial_box_calls_what_stands_in_it_from_the_telephone_that_is_chosen",
        "acceptance/test_dialling.py::test_the_user_s_telephone_rings_first_and_then_the_number_is_called",
    ),
    bug(
        "the button to transfer does nothing with a desk phone, and says nothing",
        "NethServer/dev#7403",
        "browser/test_looks.py::test_a_refusal_is_said_to_people_without_what_administrators_are_to_do",
        "acceptance/test_dialling.py::test_a_call_is_passed_on_blind_with_a_number_of_ours_shown",
    ),
    bug(
        "missed calls of the weekend are not shown",
        "NethServer/dev#7833",
        "browser/test_lists.py::test_missed_calls_of_a_long_weekend_are_there",
    ),
    bug(
        "a transfer over Local channels is not seen, and the first agent gets the whole hour",
        "FreePBX/issue-tracker#124, asterisk/asterisk#759",
        "calls/test_passing_on.py::test_local_channels_that_stay_are_followed_to_who_is_behind_them",
    ),
    bug(
        "an attended transfer into a queue loses pieces",
        "mikopbx/Core#741, #316, #307",
        "calls/test_passing_on.py::test_an_attended_transfer_into_a_queue_loses_no_piece",
    ),
    bug(
        "the Linkedid changes at a failed blind transfer, and the record is never closed",
        "mikopbx/Core#802",
        "calls/test_passing_on.py::test_a_blind_transfer_that_nobody_takes_leaves_an_answered_call_that_ends",
    ),
    bug(
        "a recording is cut off from its call by a transfer, or is two",
        "mikopbx/Core#1100, #1125",
        "calls/test_passing_on.py::test_a_recording_goes_on_over_a_transfer_to_several_and_is_one",
    ),
    bug(
        "a call is closed before the hang-up, and later updates are lost",
        "serfreeman1337/asterlink#7",
        "calls/test_order.py::test_what_comes_late_still_counts_and_ends_nothing_twice",
        "calls/test_order.py::test_a_call_that_does_go_on_after_all_is_open_again",
    ),
    bug(
        "in a hunt group the pop stays at the first agent, and the second gets none",
        "blak3r/yaai#180, #83, #175",
        "calls/test_rings.py::test_a_hunt_group_rings_each_telephone_in_turn",
        "desk/test_pops.py::test_everybody_who_rings_sees_it_and_who_loses_sees_it_go",
    ),
    bug(
        "a pop cannot be closed, comes back after a reload, or at the end",
        "blak3r/yaai#194, CiscoDevNet/finesse-sample-code#12",
        "browser/test_calls.py::test_a_call_that_is_over_stays_until_it_is_closed_and_then_stays_away",
        "desk/test_pops.py::test_the_same_change_twice_shows_nothing_twice",
    ),
    bug(
        "the pop comes only after the call",
        "modestcrab/3CX-Pipedrive-Integration#3",
        "browser/test_calls.py::test_who_is_calling_stands_there_while_it_rings",
    ),
    bug(
        "a click shows the customer's number as the own one, and the provider refuses",
        "blak3r/yaai#169",
        "dialling/test_wish.py::test_the_customer_is_shown_to_the_user_and_is_nobody_s_caller_id",
        "calls/test_numbers.py::test_a_click_whose_dialplan_shows_the_customer_does_not_call_that_ours",
    ),
    bug(
        "an outbound call is logged with the own extension, and matches nobody",
        "blak3r/yaai#170, #43",
        "calls/test_numbers.py::test_an_outbound_call_has_the_number_that_was_dialled_to_the_trunk",
    ),
    bug(
        "the direction is guessed from a channel's name",
        "blak3r/yaai#191",
        "calls/test_numbers.py::test_telephones_among_themselves_are_internal",
        "pbx/test_ami_events.py::test_a_call_from_outside_comes_in_and_a_telephone_that_is_called_does_not",
    ),
    bug(
        "an outbound call that nobody answered is not linked to its contact",
        "blak3r/yaai#53",
        "test_contacts.py::test_an_outbound_call_that_nobody_answered_has_its_contact",
    ),
    bug(
        "the next click dials the number before, which had failed",
        "OCA/connector-telephony#20",
        "browser/test_lists.py::test_a_number_that_failed_is_not_dialled_with_the_next",
    ),
    bug(
        "nothing ties the second call of a transfer to the first",
        "sipgate/sipgate.io#140",
        "calls/test_passing_on.py::test_a_blind_transfer_is_one_call_whose_user_is_the_last_one",
    ),
    bug(
        "a call is logged twelve hours off, or by the hour of another zone",
        "ringcentral/rc-unified-crm-extension#4, nemerald-voip/fspbx#138, 2600hz/monster-ui-voip#486",
        "calls/test_call_json.py::test_moments_are_utc_with_milliseconds",
        "calls/test_log_entry.py::test_the_body_has_everything_in_the_site_s_time",
        "pbx/test_table_history.py::test_the_hour_that_comes_twice_is_told_apart_by_the_channels_ids",
    ),
    bug(
        "one call is logged at every contact with that number",
        "ringcentral/hubspot-embeddable-ringcentral-phone#230",
        "test_contacts.py::test_several_hits_stay_several_and_nobody_is_chosen",
        "calls/test_log_entry.py::test_of_several_contacts_none_is_taken",
    ),
    bug(
        "an end that overtakes its start rings for ever",
        "chatwoot/chatwoot#14836",
        "calls/test_order.py::test_an_end_that_overtakes_its_start_leaves_nobody_ringing",
    ),
    bug(
        "of two updates at once the second fails, and with it the call",
        "frappe/crm#1267",
        "test_call_book.py::test_edits_at_once_all_count_in_order",
    ),
    bug(
        "a dialled call whose entry failed comes back as an incoming one",
        "frappe/crm#2597",
        "calls/test_dialled.py::test_a_dialled_call_is_outbound_before_anybody_picked_up",
        "delivery/test_call_log_target.py::test_what_may_have_arrived_is_searched_before_it_is_made_again",
    ),
    bug(
        "the player shows 0:00 and cannot seek",
        "frappe/crm#2563",
        "web/test_recording.py::test_a_part_is_what_was_asked_for",
    ),
    bug(
        "who is busy or away gets phantom pops",
        "chatwoot/chatwoot#14482",
        "browser/test_calls.py::test_who_does_not_ring_sees_nothing_of_it",
        "web/test_stream.py::test_people_hear_of_their_own_calls_and_supervisors_of_all",
    ),
    bug(
        "umlauts, \u0451 and accents are taken out, or turned into entities",
        "mikopbx/Core#846, fusionpbx/fusionpbx#8173, FreePBX/issue-tracker#551",
        "asterisk/test_ami_wire.py::test_messages_are_the_same_wherever_the_bytes_are_cut",
        "calls/test_log_entry.py::test_letters_of_every_language_stay_as_they_are",
    ),
    bug(
        "a call of six minutes has no duration",
        "FreePBX/issue-tracker#465, #502",
        "calls/test_durations.py::test_every_duration_of_a_call_is_there",
    ),
    bug(
        "of a range of numbers the main one is stored, and not the one dialled",
        "FreePBX/issue-tracker#516",
        "calls/test_numbers.py::test_a_number_of_a_range_is_kept_whole",
    ),
    bug(
        "events come minutes late or never, and the connection is lost under load",
        "asterisk-java#592, AsterNET#20, #190, asterisk/asterisk#2145",
        "pbx/test_watcher.py::test_after_a_broken_connection_the_channels_are_asked_for_anew",
        "pbx/test_watcher.py::test_how_late_events_come_is_measured_against_the_quickest",
        "acceptance/test_followed_gaps.py::test_a_line_that_is_cut_in_mid_call_costs_nothing",
    ),
    bug(
        "after a change of the network, or a sleep, the page or its telephone is silently dead",
        "versatica/JsSIP#738, onsip/SIP.js#1095, sipcore-hass-integration#214",
        "browser/test_calls.py::test_what_happened_while_the_line_was_cut_is_there_when_it_is_back",
        "browser/test_phone.py::test_a_password_that_the_telephone_system_has_forgotten_is_made_anew",
        "browser/test_phone.py::test_a_browser_that_dies_in_a_call_frees_the_line",
    ),
)


def test_all_thirty_six_are_here_and_each_once():
    assert len(BUGS) == len({one.case for one in BUGS}) == 36


@pytest.mark.parametrize("one", BUGS, ids=lambda one: one.told)
def test_every_case_is_held_by_tests_that_are_there(one):
    assert one.held_by
    for test in one.held_by:
        path, _, name = test.partition("::")
        assert f"def {name}(" in (ROOT / "tests" / path).read_text(encoding="utf-8"), test
