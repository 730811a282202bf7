/** Who tells a tab of calls: the worker that all tabs share, or a stream of the tab's own where that says nothing. */
import { Line } from "./line";
import type { Asks, Told } from "./told";

declare const WORKER: string;

/** A worker that lives answers at once; one that was just ending when the tab came never does. */
const ANSWER_MS = 2_000;

type Hears = (told: Told) => void;

/** A stream for this tab alone. */
export class OwnStream {
  private readonly line: Line;

  constructor(told: Hears) {
    this.line = new Line({
      all: (calls) => told({ is: "all", calls, up: true }),
      some: (calls) => told({ is: "some", calls }),
      line: (up) => told({ is: "line", up }),
      out: () => told({ is: "out" }),
    });
  }

  ask(asks: Asks): void {
    if (asks === "restart") this.line.restart();
    if (asks !== "look") return;
    this.line.check();
    this.line.start();
  }

  stop(): void {
    this.line.stop();
  }
}

/**
 * The stream of all tabs. Each look is answered; where it is not, the worker is asked for anew, and meanwhile the tab has
 * a stream of its own, until the worker is up.
 */
export class SharedStream {
  private port: MessagePort;
  private own: OwnStream | null = null;
  private timer = 0;

  constructor(private readonly told: Hears) {
    this.port = this.connect();
  }

  ask(asks: Asks): void {
    this.port.postMessage(asks);
    this.own?.ask(asks);
    if (asks === "look") this.timer ||= window.setTimeout(() => this.silent(), ANSWER_MS);
    else if (asks === "leave") this.answered();
  }

  private connect(): MessagePort {
    const worker = new SharedWorker(WORKER, { type: "module", name: "routing-engine" });
    worker.port.onmessage = (message: MessageEvent<Told>) => this.heard(message.data);
    // Its file is gone, as after an update of the engine.
    worker.onerror = () => this.begin();
    return worker.port;
  }

  private answered(): void {
    clearTimeout(this.timer);
    this.timer = 0;
  }

  private silent(): void {
    this.timer = 0;
    this.port.postMessage("leave" satisfies Asks); // it may only be slow
    this.port.close();
    this.port = this.connect();
    this.port.postMessage("look" satisfies Asks);
    this.begin();
  }

  private begin(): void {
    if (this.own) return;
    this.own = new OwnStream(this.told);
    this.own.ask("look");
  }

  private heard(told: Told): void {
    this.answered();
    if (this.own) {
      if (told.is !== "all" || !told.up) return;
      this.own.stop();
      this.own = null;
    }
    this.told(told);
  }
}
