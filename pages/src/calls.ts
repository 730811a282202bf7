/** The calls that are known, by id and version: whatever comes late, twice or out of order changes nothing. */
import type { Call } from "./call";

/** So many calls that have ended stay known. */
const MOST_ENDED = 300;

export class Calls {
  private readonly known = new Map<string, Call>();
  /** The versions of calls that are gone: what speaks of them later is older. */
  private readonly gone = new Map<string, number>();

  /** All calls, the newest first. */
  all(): Call[] {
    return [...this.known.values()].sort((one, other) => other.started_at.localeCompare(one.started_at));
  }

  get(id: string): Call | undefined {
    return this.known.get(id);
  }

  /** Take one call; return whether that changed anything. */
  take(call: Call): boolean {
    const before = this.known.get(call.id)?.version ?? this.gone.get(call.id) ?? -1;
    if (call.version <= before) return false;
    this.known.delete(call.id); // so that the order is that of the changes
    if (call.merged_into) this.gone.set(call.id, call.version);
    else this.known.set(call.id, call);
    this.forget();
    return true;
  }

  /** Take all calls that are open now: what we thought was open and is not there has ended unseen. */
  takeAll(open: readonly Call[]): void {
    const ids = new Set(open.map((call) => call.id));
    for (const call of this.known.values()) {
      if (call.state === "ended" || ids.has(call.id)) continue;
      this.known.delete(call.id);
      this.gone.set(call.id, call.version);
    }
    for (const call of open) {
      // What has gone from an answer before, and stands in this one, is there.
      if (this.gone.get(call.id) === call.version) this.gone.delete(call.id);
      this.take(call);
    }
  }

  clear(): void {
    this.known.clear();
    this.gone.clear();
  }

  private forget(): void {
    const ended = [...this.known.values()].filter((call) => call.state === "ended");
    for (const call of ended.slice(0, Math.max(0, ended.length - MOST_ENDED))) this.known.delete(call.id);
    for (const id of [...this.gone.keys()].slice(0, Math.max(0, this.gone.size - MOST_ENDED))) this.gone.delete(id);
  }
}
