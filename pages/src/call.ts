/** A call as the API tells it (section 3 of the contract), and what it is for one person. Nothing here asks or draws. */

export interface Leg {
  user: string | null;
  phone: string | null;
  ringing_at: string | null;
  answered_at: string | null;
  left_at: string | null;
  result: "answered" | "elsewhere" | "no_answer" | "cancelled" | "busy" | "declined" | "transferred" | null;
}

export interface Candidate {
  integration: string;
  model: string;
  id: string;
  name: string | null;
  url: string | null;
}

export interface Contact {
  integration: string | null;
  model: string | null;
  id: string | null;
  name: string | null;
  url: string | null;
  matched: "routed" | "found" | "linked" | "created" | "ambiguous";
  candidates: Candidate[];
}

export interface Note {
  at: string;
  by: string;
  text: string;
}

export interface Call {
  id: string;
  version: number;
  pbx: string;
  direction: "inbound" | "outbound" | "internal";
  from: string | null;
  to: string | null;
  did: string | null;
  state: "ringing" | "talking" | "held" | "ended";
  outcome: "answered" | "missed" | "abandoned" | "voicemail" | "unanswered" | "busy" | "failed" | "unknown" | null;
  started_at: string;
  ringing_at: string | null;
  answered_at: string | null;
  ended_at: string | null;
  duration_s: number | null;
  talk_s: number | null;
  user: string | null;
  queue: string | null;
  hangup_by: "other" | "user" | "system" | null;
  cause: number | null;
  legs: Leg[];
  transfers: { at: string; by: string | null; to: string | null; how: string }[];
  contact: Contact | null;
  route: { name: string; rule: string | null; reason: string | null; call_id: string } | null;
  recording: { state: string; seconds: number | null; url: string | null };
  notes: Note[];
  tags: string[];
  sentiment: "positive" | "neutral" | "negative" | null;
  disposition: string | null;
  deliveries: Record<string, { state: string; url: string | null; error: string | null }>;
  merged_into: string | null;
}

/** What a call is for one person now. */
export type Part =
  | "ringing" // it rings here
  | "dialling" // the person has dialled, and nobody has answered
  | "talking"
  | "held"
  | "elsewhere" // somebody else has taken it
  | "gave_up" // the caller hung up while it rang here
  | "passed_on" // transferred to somebody else
  | "rang_out" // it rang here, and goes on somewhere else
  | "over" // the person spoke, and it has ended
  | "none";

/** Who looks at the page. */
let self = "";

export function iAm(key: string): void {
  self = key;
}

/** Whether `me` has dialled it: a call to the outside, or one to a colleague from a telephone of theirs. */
function hasDialled(call: Call, me: string): boolean {
  if (call.direction === "outbound") return true;
  const own = (leg: Leg) => leg.user === me && call.from !== null && leg.phone?.split("/").pop() === call.from;
  return call.direction === "internal" && call.legs.some(own);
}

/** The telephone of `me` on which the call rings or is spoken. */
export function phoneOf(call: Call, me: string): string | null {
  return call.legs.find((leg) => leg.user === me && leg.left_at === null)?.phone ?? null;
}

/** What a call is for `me`, from nothing but the call. */
export function partOf(call: Call, me: string): Part {
  const mine = call.legs.filter((leg) => leg.user === me);
  const open = mine.find((leg) => leg.left_at === null && leg.result !== "elsewhere");
  if (open && call.state !== "ended") {
    if (hasDialled(call, me) && !call.answered_at) return "dialling";
    if (!open.answered_at) return "ringing";
    return call.state === "held" ? "held" : "talking";
  }
  const last = mine[mine.length - 1];
  if (!last) return "none";
  if (mine.some((leg) => leg.result === "transferred") && call.state !== "ended") return "passed_on";
  if (mine.some((leg) => leg.answered_at)) return "over";
  if (hasDialled(call, me)) return "over";
  if (last.result === "elsewhere") return "elsewhere";
  if (call.state === "ended" || last.result === "cancelled") return "gave_up";
  // A telephone falls silent a moment before it is known why.
  return last.result === "no_answer" ? "rang_out" : "none";
}

/** Whether the call is on the person's phone now. */
export function isOpen(part: Part): boolean {
  return part === "ringing" || part === "dialling" || part === "talking" || part === "held";
}

/** Whether nobody spoke to the caller, who is somebody else. */
export function isMissed(call: Call): boolean {
  if (hasDialled(call, self)) return false;
  return call.outcome === "missed" || call.outcome === "abandoned" || call.outcome === "voicemail";
}

/** What came of a call, as a word of the texts. */
export function outcomeWord(call: Call): string | null {
  if (call.outcome !== "missed") return call.outcome;
  return isMissed(call) ? "missed_one" : "unanswered";
}

/** The number of the other party; null when it is withheld. */
export function otherNumber(call: Call): string | null {
  return hasDialled(call, self) ? call.to : call.from;
}

/** Written to a missed call that somebody has called back: then it is done, for everybody. */
export const CALLED_BACK = "called back";

/** The missed calls that nobody has called back: not marked as done, and no call with that number since was answered. */
export function toCallBack(missed: readonly Call[], since: readonly Call[]): Call[] {
  const spoke = (call: Call, later: Call) =>
    later.started_at > call.started_at &&
    later.outcome === "answered" &&
    otherNumber(later) !== null &&
    otherNumber(later) === otherNumber(call);
  return missed.filter((call) => !call.tags.includes(CALLED_BACK) && !since.some((later) => spoke(call, later)));
}
