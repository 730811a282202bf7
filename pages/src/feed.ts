/** The tab's end of the stream: what is known of calls now, for whoever draws it. */
import { Calls } from "./calls";
import type { Call } from "./call";
import { OwnStream, SharedStream } from "./source";
import type { Asks, Told } from "./told";

type Listener = () => void;

export class Feed {
  readonly calls = new Calls();
  /** Whether the stream is up. Until it was for the first time nothing is wrong. */
  up = true;
  /** Set when nobody is logged in any more. */
  onOut: Listener = () => undefined;
  private readonly listeners = new Set<Listener>();
  private readonly ask: (asks: Asks) => void;

  constructor() {
    const told = (news: Told) => this.told(news);
    // A browser without shared workers, as on some telephones, has a stream for each tab.
    const source = typeof SharedWorker === "undefined" ? new OwnStream(told) : new SharedStream(told);
    this.ask = (asks) => source.ask(asks);
    const look = () => document.visibilityState === "visible" && this.ask("look");
    document.addEventListener("visibilitychange", look);
    document.addEventListener("resume", look);
    addEventListener("pageshow", look);
    addEventListener("online", look);
    addEventListener("pagehide", () => this.ask("leave"));
  }

  start(): void {
    this.ask("look");
  }

  /** Begin anew after a log-in or a log-out, which is another person's perhaps. */
  restart(): void {
    this.calls.clear();
    this.ask("restart");
    this.ask("look");
  }

  /** Hear of every change; returns what ends that. */
  listen(listener: Listener): Listener {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** Take a call that an answer of the API has brought. */
  take(call: Call): void {
    if (this.calls.take(call)) this.changed();
  }

  private changed(): void {
    for (const listener of this.listeners) listener();
  }

  private told(told: Told): void {
    if (told.is === "out") {
      this.calls.clear();
      this.onOut();
    } else if (told.is === "line") this.up = told.up;
    else if (told.is === "some") for (const call of told.calls) this.calls.take(call);
    else this.takeAll(told.calls, told.up);
    this.changed();
  }

  private takeAll(calls: Call[], up: boolean): void {
    // A worker that has just begun knows of no call: it is not down, and takes nothing away.
    if (up) {
      this.up = true;
      this.calls.takeAll(calls.filter((call) => call.state !== "ended"));
    }
    for (const call of calls) this.calls.take(call);
  }
}
