/**
 * One stream of server-sent events, read by hand: unlike EventSource it tells a log-out from a broken line, and notices
 * a line that is silently dead, as after sleep.
 */
import type { Call } from "./call";

/** The server says something each 15 s; after this long without a byte the line is dead. */
const SILENT_MS = 40_000;
const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 15_000;

/** All calls under way, or one that has changed. */
interface StreamEvent {
  calls?: Call[];
  call?: Call;
}

export interface Hears {
  all(calls: Call[]): void;
  /** Calls that have changed, each as it is by now. */
  some(calls: Call[]): void;
  line(up: boolean): void;
  /** Nobody is logged in. The line rests until `start`. */
  out(): void;
}

export class Line {
  private stopping = new AbortController();
  private lastId = "";
  private heardAt = 0;
  private running = false;
  private pause = FIRST_PAUSE_MS;
  private wake: () => void = () => undefined;

  constructor(private readonly hears: Hears) {}

  /** Read until the log-out. */
  start(): void {
    if (this.running) return;
    this.running = true;
    void this.run();
  }

  /** Read no more. */
  stop(): void {
    this.running = false;
    this.stopping.abort();
    this.wake();
  }

  /** Begin anew, as another person perhaps. */
  restart(): void {
    this.lastId = "";
    this.stopping.abort();
    this.wake();
    this.start();
  }

  /** Somebody looks at the page again, or the network has come back: look whether the line still lives. */
  check(): void {
    if (Date.now() - this.heardAt > SILENT_MS) this.stopping.abort();
    this.pause = FIRST_PAUSE_MS;
    this.wake();
  }

  private async run(): Promise<void> {
    while (this.running) {
      this.stopping = new AbortController();
      const ended = await this.read(this.stopping).catch(() => "broken" as const);
      if (!this.running) return;
      this.hears.line(false);
      if (ended === "out") {
        this.running = false;
        this.hears.out();
        return;
      }
      await new Promise<void>((done) => {
        this.wake = done;
        setTimeout(done, this.pause * (0.5 + Math.random()));
      });
      this.pause = Math.min(this.pause * 2, LONGEST_PAUSE_MS);
    }
  }

  private async read(stopping: AbortController): Promise<"out" | "broken"> {
    this.heardAt = Date.now();
    const headers: Record<string, string> = { Accept: "text/event-stream" };
    if (this.lastId) headers["Last-Event-ID"] = this.lastId;
    const watch = setInterval(() => {
      if (Date.now() - this.heardAt > SILENT_MS) stopping.abort();
    }, 5_000);
    try {
      const answer = await fetch("/v1/stream", { headers, signal: stopping.signal, cache: "no-store" });
      if (answer.status === 401) return "out";
      if (!answer.ok || !answer.body) return "broken";
      this.hears.line(true);
      this.pause = FIRST_PAUSE_MS;
      await this.events(answer.body.pipeThrough(new TextDecoderStream()).getReader());
      return "broken";
    } finally {
      clearInterval(watch);
    }
  }

  private async events(reader: ReadableStreamDefaultReader<string>): Promise<void> {
    let rest = "";
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      this.heardAt = Date.now();
      const parts = (rest + value).split(/\r?\n\r?\n/);
      rest = parts.pop() ?? "";
      this.tell(parts.map((part) => this.event(part)));
    }
  }

  /** What has come at once is told at once: of many changes of a call only the last matters. */
  private tell(events: readonly (StreamEvent | null)[]): void {
    let changed = new Map<string, Call>();
    for (const event of events) {
      if (event?.calls) {
        changed = new Map();
        this.hears.all(event.calls);
      } else if (event?.call) changed.set(event.call.id, event.call);
    }
    if (changed.size) this.hears.some([...changed.values()]);
  }

  private event(text: string): StreamEvent | null {
    let name = "message";
    const data: string[] = [];
    for (const line of text.split(/\r?\n/)) {
      const [, field, value = ""] = /^([^:]*)(?:: ?(.*))?$/s.exec(line) ?? [];
      if (field === "event") name = value;
      else if (field === "data") data.push(value);
      else if (field === "id") this.lastId = value;
    }
    if (!data.length) return null;
    const found: unknown = JSON.parse(data.join("\n"));
    return name === "snapshot" ? { calls: (found as { calls: Call[] }).calls } : { call: found as Call };
  }
}
