/** The telephone in the page, as every tab sees it; sip.ts, which is fetched only where it is wanted, speaks SIP. */
import type { Me } from "./api";

export interface PhoneState {
  line: "off" | "starting" | "ready" | "down" | "failed";
  /** Whether this tab has the telephone. */
  here: boolean;
  /** The number of who rings, null when nobody does. */
  rings: string | null;
  talks: boolean;
  muted: boolean;
}

const OFF: PhoneState = { line: "off", here: false, rings: null, talks: false, muted: false };

export class Phone {
  state: PhoneState = OFF;
  wanted = false;
  private readonly listeners = new Set<() => void>();

  listen(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  on(_me: Me): void {
    this.wanted = true;
  }

  off(): void {
    this.wanted = false;
  }

  answer(): void {
    return;
  }

  hangUp(): void {
    return;
  }
}
