/** The tab's end of the stream: what is known of calls now, for whoever draws it. */
import { Calls } from "./calls";
import type { Call } from "./call";
import { Line } from "./line";
import type { Asks, Told } from "./told";

declare const WORKER: string;

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
    this.ask = typeof SharedWorker === "undefined" ? this.alone() : this.shared();
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
    if (up) this.up = true; // a worker that has just begun is not down
    this.calls.takeAll(calls.filter((call) => call.state !== "ended"));
    for (const call of calls) this.calls.take(call);
  }

  private shared(): (asks: Asks) => void {
    const worker = new SharedWorker(WORKER, { type: "module", name: "routing-engine" });
    worker.port.onmessage = (message: MessageEvent<Told>) => this.told(message.data);
    return (asks) => worker.port.postMessage(asks);
  }

  /** A browser without shared workers, as on some telephones: a line of its own for this tab. */
  private alone(): (asks: Asks) => void {
    const line = new Line({
      all: (calls) => this.told({ is: "all", calls, up: true }),
      some: (calls) => this.told({ is: "some", calls }),
      line: (up) => this.told({ is: "line", up }),
      out: () => this.told({ is: "out" }),
    });
    return (asks) => {
      if (asks === "restart") line.restart();
      if (asks !== "look") return;
      line.check();
      line.start();
    };
  }
}
