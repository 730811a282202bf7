/**
 * The telephone in the page, as every tab sees it. One tab of a browser has it, and the others show it and tell it what to
 * do; sip.ts, which is fetched only where it is wanted, speaks SIP.
 */
import type { Me } from "./api";
import { type Call, otherNumber } from "./call";
import type { SipPhone } from "./sip";

export interface PhoneState {
  line: "off" | "starting" | "ready" | "down" | "failed";
  /** The number of who rings; null when nobody does, "" when it is withheld. */
  rings: string | null;
  talks: boolean;
  muted: boolean;
  held: boolean;
  /** The extension that it is, "" until it is ready. */
  extension: string;
}

export type Command =
  | { is: "who" }
  | { is: "answer" | "hangUp" | "mute" | "hold" | "stop" }
  | { is: "keypad"; digit: string }
  | { is: "expect"; number: string };

const OFF: PhoneState = { line: "off", rings: null, talks: false, muted: false, held: false, extension: "" };
const KEPT = "phone in page";

export class Phone {
  state: PhoneState = OFF;
  /** Whether this tab has the telephone. */
  here = false;
  private sip: SipPhone | null = null;
  private release: () => void = () => undefined;
  private readonly tabs = new BroadcastChannel("routing-engine phone");
  private readonly listeners = new Set<() => void>();

  constructor() {
    this.tabs.onmessage = ({ data }: MessageEvent<Command | PhoneState>) => {
      if ("line" in data) this.show(data);
      else this.told(data);
    };
  }

  /** Whether the person wants it: kept, so that a reload goes on. */
  get wanted(): boolean {
    return localStorage.getItem(KEPT) !== null;
  }

  listen(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** Switch it on, by a click: the browser asks for the microphone. */
  async on(me: Me): Promise<void> {
    localStorage.setItem(KEPT, "yes");
    this.show({ ...this.state, line: "starting" });
    try {
      const stream = await navigator.mediaDevices.getUserMedia({ audio: true });
      for (const track of stream.getTracks()) track.stop();
    } catch {
      localStorage.removeItem(KEPT);
      this.show({ ...OFF, line: "failed" });
      return;
    }
    this.begin(me);
  }

  /** Go on with it after a reload, or in one more tab. */
  begin(me: Me): void {
    if (!this.wanted || !me.phone_in_page || this.here) return;
    void navigator.locks.request("routing-engine phone", async () => {
      if (!this.wanted) return;
      this.here = true;
      const released = new Promise<void>((done) => {
        this.release = done;
      });
      const { SipPhone } = await import("./sip");
      this.sip = new SipPhone(me, (state) => {
        this.show(state);
        this.tabs.postMessage(state);
      });
      await this.sip.start();
      await released;
    });
    this.tabs.postMessage({ is: "who" } satisfies Command);
  }

  /** Switch it off, in all tabs. */
  off(): void {
    localStorage.removeItem(KEPT);
    this.tell({ is: "stop" });
    this.show(OFF);
  }

  /** Tell the tab that has it, which may be this one. */
  tell(command: Command): void {
    if (this.here) this.told(command);
    else this.tabs.postMessage(command);
  }

  /** Whether the call that rings on the telephone is this one. */
  ringsFor(call: Call): boolean {
    const { rings } = this.state;
    return rings !== null && sameNumber(rings, otherNumber(call) ?? "");
  }

  /** Whether it is the telephone, `main/201-web`, that a person speaks on. */
  speaksOn(phone: string | null): boolean {
    const { talks, extension } = this.state;
    return talks && extension !== "" && phone?.split("/").pop() === extension;
  }

  private told(command: Command): void {
    if (command.is === "who") {
      if (this.here) this.tabs.postMessage(this.state);
    } else if (command.is === "stop") this.stop();
    else this.sip?.do(command);
  }

  private stop(): void {
    this.sip?.stop();
    this.sip = null;
    this.here = false;
    this.release();
    this.show(OFF);
  }

  private show(state: PhoneState): void {
    this.state = state;
    for (const listener of this.listeners) listener();
  }
}

/** Whether two numbers are one, however they are written: national, or with the country. */
export function sameNumber(one: string, other: string): boolean {
  const [first, second] = [one, other].map((text) => text.replace(/\D/g, "").replace(/^0+/, ""));
  if (!first || !second) return one === other;
  return first === second || (Math.min(first.length, second.length) >= 6 && (first.endsWith(second) || second.endsWith(first)));
}
