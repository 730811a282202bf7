/** The calls of now: what stands here is nothing but a function of the calls that are known. */
import { useEffect, useState } from "preact/hooks";

import { type Call, isOpen, type Part, partOf } from "./call";
import { CallCard } from "./call-card";
import { useChanges, useDesk } from "./desk";
import { dismissed, dismiss } from "./dismissed";
import { nameOf, personOf } from "./names";
import { t } from "./texts";

/** A call that is over stays for what is to be written down, unless it is closed. */
const AFTERWARDS_MS = 30 * 60_000;
const NOTICE_MS = 15_000;
const ORDER: readonly Part[] = ["ringing", "dialling", "talking", "held", "passed_on", "over"];

export function Pops({ alone }: { alone: boolean }) {
  const { feed, me } = useDesk();
  useChanges(feed);
  useChanges(dismissed);
  const shown = shownNow(feed.calls.all(), me.user.key);
  if (!shown.length && !alone) return null;
  return (
    <section class="now" aria-label={t("now")}>
      {!shown.length && (
        <div class="quiet">
          <h2>{t("no_calls")}</h2>
          <p>{t("no_calls_more")}</p>
        </div>
      )}
      {shown.map(([call, part]) => (
        <CallCard key={call.id} call={call} part={part} close={isOpen(part) ? null : () => dismiss(call.id)} />
      ))}
    </section>
  );
}

function shownNow(calls: readonly Call[], me: string): [Call, Part][] {
  const parts = calls.map((call): [Call, Part] => [call, partOf(call, me)]);
  const last = parts.find(([, part]) => part === "over" || part === "passed_on");
  const stays = (call: Call, part: Part) =>
    isOpen(part) || (call === last?.[0] && !dismissed.has(call.id) && ended(call, part));
  return parts
    .filter(([call, part]) => stays(call, part))
    .sort(([, one], [, other]) => ORDER.indexOf(one) - ORDER.indexOf(other));
}

function ended(call: Call, part: Part): boolean {
  return part === "passed_on" || Date.now() - Date.parse(call.ended_at ?? call.started_at) < AFTERWARDS_MS;
}

interface Notice {
  id: string;
  text: string;
}

/** A line for each call that rang here and does no more, though nobody took it here. */
export function Notices() {
  const { feed, me } = useDesk();
  const [notices, setNotices] = useState<Notice[]>([]);
  useEffect(() => {
    let rang = new Set<string>();
    return feed.listen(() => {
      const parts = feed.calls.all().map((call): [Call, Part] => [call, partOf(call, me.user.key)]);
      const fresh = parts.filter(([call]) => rang.has(call.id)).flatMap(([call, part]) => noticeOf(call, part));
      rang = new Set(parts.filter(([, part]) => part === "ringing").map(([call]) => call.id));
      if (!fresh.length) return;
      setNotices((before) => [...before.filter((one) => !fresh.some((other) => other.id === one.id)), ...fresh]);
      setTimeout(() => setNotices((before) => before.filter((one) => !fresh.includes(one))), NOTICE_MS);
    });
  }, [feed, me.user.key]);
  return (
    <div class="notices" role="status">
      {notices.map((notice) => (
        <p key={notice.id}>{notice.text}</p>
      ))}
    </div>
  );
}

function noticeOf(call: Call, part: Part): Notice[] {
  if (part !== "elsewhere" && part !== "gave_up" && part !== "rang_out") return [];
  return [{ id: call.id, text: `${nameOf(call)}: ${t(part, personOf(call.user))}` }];
}
