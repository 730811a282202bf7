/** Calls of before: the last ones, those to be called back, and a search. */
import { useEffect, useState } from "preact/hooks";

import { api, type Search } from "./api";
import { type Call, CALLED_BACK, isMissed, otherNumber, outcomeWord, partOf, toCallBack } from "./call";
import { Calls } from "./calls";
import { Fault, useAction, useChanges, useDesk } from "./desk";
import { useDial } from "./dial";
import { duration, moment } from "./format";
import { nameOf } from "./names";
import { SearchForm } from "./search";
import { t, told } from "./texts";

type Tab = "recent" | "missed" | "search";
const TABS: readonly Tab[] = ["recent", "missed", "search"];

export function Lists() {
  const [tab, setTab] = useState<Tab>("recent");
  const recent = usePages([{}], () => true);
  const missed = usePages([{ outcome: "missed" }, { outcome: "abandoned" }, { outcome: "voicemail" }], isMissed);
  const waiting = toCallBack(missed.calls, recent.calls);
  const move = (event: KeyboardEvent) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    const next = TABS[(TABS.indexOf(tab) + step + TABS.length) % TABS.length] ?? tab;
    setTab(next);
    document.getElementById(`tab-${next}`)?.focus();
  };
  return (
    <aside class="lists">
      <div role="tablist" onKeyDown={move}>
        {TABS.map((one) => (
          <button
            key={one}
            id={`tab-${one}`}
            role="tab"
            aria-selected={tab === one}
            aria-controls="list"
            tabIndex={tab === one ? 0 : -1}
            onClick={() => setTab(one)}
          >
            {t(one)}
            {one === "missed" && waiting.length > 0 && <span class="count">{waiting.length}</span>}
          </button>
        ))}
      </div>
      <div id="list" role="tabpanel" aria-labelledby={`tab-${tab}`}>
        {tab === "recent" && <CallList pages={recent} calls={recent.calls} empty={t("nothing_recent")} />}
        {tab === "missed" && <CallList pages={missed} calls={waiting} empty={t("nothing_missed")} missed />}
        {tab === "search" && <SearchForm />}
      </div>
    </aside>
  );
}

export interface Pages {
  calls: Call[];
  more: (() => void) | null;
  action: ReturnType<typeof useAction>;
}

/** Lists of the API, page by page, with what the stream tells meanwhile of their calls, and of new ones that may join. */
export function usePages(searches: Search[], fits: (call: Call) => boolean, joins = fits): Pages {
  const { feed, me } = useDesk();
  useChanges(feed);
  const [calls] = useState(() => new Calls());
  const [cursors, setCursors] = useState<(string | null)[]>(searches.map(() => ""));
  const action = useAction();
  const load = () =>
    action.run(async () => {
      const wanted = searches.flatMap((search, at) => {
        const cursor = cursors[at];
        return cursor === null ? [] : [{ at, search: cursor ? { ...search, cursor } : search }];
      });
      const found = await Promise.all(wanted.map(async ({ at, search }) => ({ at, page: await api.calls(search) })));
      const next = [...cursors];
      for (const { at, page } of found) {
        for (const call of page.calls) calls.take(call);
        next[at] = page.next;
      }
      setCursors(next);
    });
  useEffect(load, []);
  for (const call of feed.calls.all()) {
    const known = calls.get(call.id) !== undefined;
    const mine = me.user.role !== "agent" || partOf(call, me.user.key) !== "none";
    if (call.state === "ended" && (known || (mine && joins(call)))) calls.take(call);
  }
  const more = cursors.some((cursor) => cursor !== null && cursor !== "") ? load : null;
  return { calls: calls.all().filter((call) => fits(call) && call.state === "ended"), more, action };
}

interface ListProps {
  pages: Pages;
  calls: Call[];
  empty: string;
  missed?: boolean;
}

export function CallList({ pages, calls, empty, missed = false }: ListProps) {
  return (
    <>
      <Fault error={pages.action.error} />
      {!calls.length && !pages.action.busy && <p class="soft empty">{empty}</p>}
      <ul class="plain list">
        {calls.map((call) => (
          <Row key={call.id} call={call} missed={missed} />
        ))}
      </ul>
      {pages.more && (
        <button disabled={pages.action.busy} onClick={pages.more}>
          {t("more")}
        </button>
      )}
    </>
  );
}

function Row({ call, missed }: { call: Call; missed: boolean }) {
  const { feed, go, me } = useDesk();
  const action = useAction();
  const dial = useDial();
  const number = otherNumber(call);
  const address = `/calls/${encodeURIComponent(call.id)}`;
  const done = async () => feed.take(await api.edit(call.id, { tags: { add: [CALLED_BACK] } }));
  const back = () =>
    action.run(async () => {
      if (number) await dial(number);
      if (missed) await done();
    });
  const outcome = outcomeWord(call) ?? "unknown";
  return (
    <li class={`${call.direction} ${isMissed(call) ? "missed" : ""}`}>
      <a
        href={address}
        onClick={(event) => {
          event.preventDefault();
          go(address);
        }}
      >
        <strong>{nameOf(call)}</strong>
        <span class="soft">
          <span class="unseen">{t(call.direction)}, </span>
          {[moment(call.started_at), told("", outcome), call.talk_s ? duration(call.talk_s) : ""].filter(Boolean).join(" · ")}
        </span>
      </a>
      {missed && (
        <button class="plain" aria-label={t("done_long", nameOf(call))} title={t("done")} onClick={() => action.run(done)}>
          ✓
        </button>
      )}
      {number && me.may.includes("dial") && (
        <button class="plain" aria-label={t("call_number", nameOf(call))} title={t("call_back")} disabled={action.busy} onClick={back}>
          ✆
        </button>
      )}
      <Fault error={action.error} />
    </li>
  );
}
