/** One call: who it is, why it came here, what can be done, and what is written down. */
import { useCallback, useEffect, useState } from "preact/hooks";

import { api, type Card } from "./api";
import { type Call, isOpen, otherNumber, outcomeWord, type Part } from "./call";
import { ContactPart } from "./contact";
import { Controls } from "./controls";
import { useDesk, useSeconds } from "./desk";
import { duration, moment, since } from "./format";
import { nameOf, personOf } from "./names";
import { t, told } from "./texts";
import { Written } from "./written";

export interface Props {
  call: Call;
  part: Part;
  close: (() => void) | null;
}

export function CallCard({ call, part, close }: Props) {
  const { card, take } = useCard(call);
  const name = nameOf(call);
  return (
    <article class={`card ${part}`} aria-label={t("call_of", name)}>
      <CardHead call={call} part={part} close={close} />
      <Controls call={call} part={part} />
      <ContactPart call={call} card={card} take={take} />
      {card?.why?.sentence && (
        <section class="why">
          <h3>{t("why")}</h3>
          <p>{card.why.sentence}</p>
        </section>
      )}
      {(call.recording.state === "attached" || call.recording.state === "pending" || call.recording.state === "linked") && (
        <Recording call={call} />
      )}
      {part !== "ringing" && <Written call={call} />}
      {card && <LastCalls card={card} />}
    </article>
  );
}

/** The card of a call, asked for anew whenever its contact or its route is another one. */
function useCard(call: Call): { card: Card | null; take: (card: Card) => void } {
  const { feed } = useDesk();
  const [card, setCard] = useState<Card | null>(null);
  const [tries, setTries] = useState(0);
  const depends = [call.id, call.contact?.matched, call.contact?.id, call.route?.call_id, tries].join(" ");
  useEffect(() => {
    let wanted = true;
    let timer = 0;
    const show = (found: Card) => {
      if (!wanted) return;
      setCard(found);
      // What is there is shown at once; other systems may take longer.
      if (found.others_pending) void api.card(call.id, true).then((whole) => wanted && setCard(whole), () => undefined);
    };
    api.card(call.id, false).then(
      show,
      () => {
        // What is known of the call stands there all the same; it is asked for some times more.
        if (wanted && tries < 5) timer = window.setTimeout(() => setTries(tries + 1), 1000 * (tries + 1));
      },
    );
    return () => {
      wanted = false;
      clearTimeout(timer);
    };
  }, [depends]);
  const take = useCallback(
    (found: Card) => {
      setCard(found);
      feed.take(found.call);
    },
    [feed],
  );
  return { card, take };
}

function CardHead({ call, part, close }: Props) {
  const number = otherNumber(call);
  const place = [
    t(call.direction),
    call.queue && t("in_queue", call.queue),
    call.direction === "inbound" && (call.did ?? call.to) && t("for_number", call.did ?? call.to ?? ""),
  ];
  return (
    <div class="head">
      <div>
        <State call={call} part={part} />
        <h2>{nameOf(call)}</h2>
        <p class="number">
          {call.contact?.name && <span>{number ?? t("withheld")}</span>}
          <span class="soft">{place.filter(Boolean).join(" · ")}</span>
        </p>
      </div>
      {close && (
        <button class="plain close" aria-label={t("close")} title={t("close")} onClick={close}>
          ×
        </button>
      )}
    </div>
  );
}

/** What happens with the call now, in a word and a time. */
function State({ call, part }: { call: Call; part: Part }) {
  useSeconds(isOpen(part));
  const to = call.transfers[call.transfers.length - 1]?.to ?? call.user;
  const text = t(part === "none" ? "over" : part, part === "passed_on" ? personOf(to) : personOf(call.user));
  const from = part === "ringing" || part === "dialling" ? call.started_at : call.answered_at;
  const outcome = call.outcome && told("", outcomeWord(call) ?? "");
  return (
    <p class="state" aria-live="polite">
      <strong>{call.state === "ended" && outcome && call.outcome !== "answered" ? outcome : text}</strong>
      {isOpen(part) && from && <span class="time">{duration(since(from))}</span>}
      {part === "over" && call.talk_s !== null && <span class="time">{duration(call.talk_s)}</span>}
      {part === "dialling" && !call.ringing_at && <span class="soft">{t("dial_first")}</span>}
    </p>
  );
}

function Recording({ call }: { call: Call }) {
  return (
    <section>
      <h3>{t("recording")}</h3>
      <audio controls preload="none" src={`/v1/calls/${encodeURIComponent(call.id)}/recording`} aria-label={t("recording_play")} />
    </section>
  );
}

function LastCalls({ card }: { card: Card }) {
  const { go } = useDesk();
  const others = card.last_calls.filter((call) => call.id !== card.call.id);
  return (
    <section class="last">
      <h3>{t("last_calls")}</h3>
      {!others.length && <p class="soft">{t("no_last_calls")}</p>}
      <ul class="plain">
        {others.slice(0, 5).map((call) => (
          <li key={call.id}>
            <a
              href={`/calls/${encodeURIComponent(call.id)}`}
              onClick={(event) => {
                event.preventDefault();
                go(`/calls/${encodeURIComponent(call.id)}`);
              }}
            >
              {moment(call.started_at)}
            </a>{" "}
            <span class="soft">
              {[told("", outcomeWord(call) ?? call.state), call.user && personOf(call.user)]
                .filter(Boolean)
                .join(" · ")}
            </span>
            {call.notes[0] && <p class="soft excerpt">{call.notes[call.notes.length - 1]?.text}</p>}
          </li>
        ))}
      </ul>
    </section>
  );
}
