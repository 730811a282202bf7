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

/** A line for each call that rang here and does no more, though nobody took it here; what it says may become clearer. */
export function Notices() {
  const { feed, me } = useDesk();
  useChanges(feed);
  const [silent, setSilent] = useState<string[]>([]);
  useEffect(() => {
    let rang = new Set<string>();
    const look = () => {
      const ringing = feed.calls.all().filter((call) => partOf(call, me.user.key) === "ringing");
      const now = new Set(ringing.map((call) => call.id));
      const fresh = [...rang].filter((id) => !now.has(id));
      rang = now;
      if (!fresh.length) return;
      setSilent((before) => [...before.filter((id) => !fresh.includes(id)), ...fresh]);
      setTimeout(() => setSilent((before) => before.filter((id) => !fresh.includes(id))), NOTICE_MS);
    };
    look(); // what rings already
    return feed.listen(look);
  }, [feed, me.user.key]);
  return (
    <div class="notices" role="status">
      {silent.map((id) => {
        const text = noticeOf(feed.calls.get(id), me.user.key);
        return text && <p key={id}>{text}</p>;
      })}
    </div>
  );
}

function noticeOf(call: Call | undefined, me: string): string | null {
  const part = call ? partOf(call, me) : "none";
  if (!call || (part !== "elsewhere" && part !== "gave_up" && part !== "rang_out")) return null;
  return `${nameOf(call)}: ${t(part, personOf(call.user))}`;
}
