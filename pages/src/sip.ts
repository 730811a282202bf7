/**
 * The telephone that speaks SIP: registered with a password that lives for this session only, on whatever network there
 * is. Fetched only where it is wanted.
 */
import { UA, WebSocketInterface } from "jssip";

import { api, type Me, type SipCredentials } from "./api";
import { now } from "./format";
import { type Command, type PhoneState, sameNumber } from "./phone";
import { Ringer } from "./ringer";

/** What of JsSIP's session is used here. */
interface Session {
  readonly connection: RTCPeerConnection | null;
  readonly remote_identity: { uri: { user: string } };
  on(event: string, hear: (event: never) => void): void;
  answer(options: object): void;
  terminate(options?: object): void;
  sendDTMF(digit: string, options: object): void;
  hold(): boolean;
  unhold(): boolean;
  mute(): void;
  unmute(): void;
  renegotiate(options: object): boolean;
  isEstablished(): boolean;
}

/** What JsSIP's types leave out of its UA. */
interface Connected {
  readonly transport: { connect(): void; disconnect(): void } | null;
}

interface Request {
  getHeader(name: string): string | undefined;
}

/** Written by the engine into the call to a telephone whose person has clicked. */
const CLICKED = "X-Routing-Engine-Call";
const REGISTERED_S = 90;
/** A new password is asked for so long before the old one ends. */
const MARGIN_MS = 60_000;
const SOONEST_MS = 1000;
const LONGEST_TIMER_MS = 2 ** 31 - 1;
const LONGEST_PAUSE_MS = 30_000;
/** A click that has dialled answers the call that comes back to this telephone within so long. */
const EXPECTED_MS = 60_000;
/** A network that leads nowhere must not hold up the answer. */
const GATHER_MS = 500;
/** Timers of a page that sleeps stand still; those of one that nobody looks at run each minute at least. */
const TICK_MS = 10_000;
const SLEPT_MS = 90_000;

export class SipPhone {
  private state: PhoneState = { line: "starting", rings: null, talks: false, muted: false, held: false, extension: "" };
  private ua: UA | null = null;
  private session: Session | null = null;
  private credentials: SipCredentials | null = null;
  private expected: { number: string; until: number } | null = null;
  private pause = 1000;
  private timer = 0;
  private stale = false;
  /** Whether the line was lost in a call: it is made anew once that is over. */
  private worn = false;
  private turn = 0;
  private seenAt = Date.now();
  private readonly clock = window.setInterval(() => this.tick(), TICK_MS);
  private stopped = false;
  private readonly sound = new Audio();
  private readonly ringer = new Ringer();
  private readonly leaving = new AbortController();

  constructor(
    private readonly me: Me,
    private readonly tell: (state: PhoneState) => void,
  ) {
    const { signal } = this.leaving;
    this.sound.autoplay = true;
    addEventListener("online", () => this.reconnect(), { signal });
    document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && this.revive(), { signal });
    document.addEventListener("resume", () => this.reconnect(), { signal });
    addEventListener("pagehide", () => this.stop(), { signal });
    addEventListener("beforeunload", (event) => this.state.talks && event.preventDefault(), { signal });
  }

  /** Get a password, and register. */
  async start(): Promise<void> {
    if (this.stopped) return;
    const turn = ++this.turn;
    clearTimeout(this.timer);
    let given: SipCredentials;
    try {
      given = await api.sip(this.me.user.key);
    } catch {
      if (turn === this.turn) this.again();
      return;
    }
    if (turn !== this.turn || this.stopped) return; // a later one has asked as well, and ends this password
    this.credentials = given;
    this.connect(given);
  }

  /** Do what the person wants. */
  do(command: Command): void {
    const { session } = this;
    if (command.is === "expect") this.expected = { number: command.number, until: Date.now() + EXPECTED_MS };
    if (!session) return;
    if (command.is === "answer") this.answer(session);
    else if (command.is === "hangUp") session.terminate(this.state.rings === null ? {} : { status_code: 603 });
    else if (command.is === "keypad") session.sendDTMF(command.digit, { transportType: "RFC2833" });
    else if (command.is === "mute") this.mute(session);
    else if (command.is === "hold" && (this.state.held ? session.unhold() : session.hold()))
      this.show({ held: !this.state.held });
  }

  stop(): void {
    if (this.stopped) return;
    this.stopped = true;
    this.leaving.abort();
    clearTimeout(this.timer);
    clearInterval(this.clock);
    this.ringer.stop();
    this.session?.terminate();
    this.ua?.stop();
    if (this.credentials) void api.sipEnd(this.credentials.id).catch(() => undefined);
  }

  private connect(given: SipCredentials): void {
    const before = this.ua;
    this.ua = new UA({
      sockets: [new WebSocketInterface(given.server)],
      uri: given.uri,
      authorization_user: given.username,
      password: given.password,
      realm: given.realm,
      register_expires: REGISTERED_S,
      connection_recovery_min_interval: 1,
      connection_recovery_max_interval: 8,
      session_timers: false,
      user_agent: "Routing Engine",
    });
    before?.stop();
    const { ua } = this;
    const mine = (then: () => void) => () => this.ua === ua && !this.stopped && then();
    ua.on("registered", mine(() => this.registered()));
    ua.on("disconnected", mine(() => this.lost()));
    // The password may have ended, or the PBX has forgotten it with a restart.
    ua.on("registrationFailed", mine(() => this.again()));
    ua.on("newRTCSession", (event: { originator: string; session: unknown; request: Request }) => {
      if (event.originator === "remote") this.rings(event.session as Session, event.request);
    });
    ua.start();
    const lasts = Date.parse(given.expires_at) - now();
    this.later(Math.min(Math.max(lasts - MARGIN_MS, lasts / 2, SOONEST_MS), LONGEST_TIMER_MS), () => this.renew());
  }

  private later(ms: number, then: () => void): void {
    clearTimeout(this.timer);
    this.timer = window.setTimeout(then, ms);
  }

  private registered(): void {
    this.pause = 1000;
    this.show({ line: "ready", extension: /^sips?:([^@]+)@/.exec(this.credentials?.uri ?? "")?.[1] ?? "" });
    // The network has changed under a call: let the other side know where we are now.
    if (this.stale && this.session?.isEstablished()) this.session.renegotiate({ rtcOfferConstraints: { iceRestart: true } });
    this.stale = false;
  }

  private lost(): void {
    this.stale = true;
    this.show({ line: "down" });
  }

  /** Try again with another password; in a call with the one that there is, for a new connection would end the call. */
  private again(): void {
    this.show({ line: "down" });
    if (this.session) this.worn = true;
    this.later(this.pause, () => (this.session ? this.ua?.register() : void this.start()));
    this.pause = Math.min(this.pause * 2, LONGEST_PAUSE_MS);
  }

  /** Take a new password before the old one ends, but not in the middle of a call. */
  private renew(): void {
    if (this.session) this.later(SOONEST_MS * 5, () => this.renew());
    else void this.start();
  }

  /** After sleep, or on another network: the connection may be dead without anybody having said so. */
  private reconnect(): void {
    this.seenAt = Date.now();
    if (!this.session) {
      void this.start();
      return;
    }
    this.lost();
    const transport = (this.ua as unknown as Connected | null)?.transport;
    transport?.disconnect();
    transport?.connect();
  }

  /** A computer that has slept says so by nothing but its clock. */
  private tick(): void {
    if (Date.now() - this.seenAt > SLEPT_MS) this.reconnect();
    this.seenAt = Date.now();
  }

  /** Somebody looks at the page again: look whether the line still lives. */
  private revive(): void {
    if (this.ua?.isConnected()) this.ua.register();
    else if (this.state.line === "down" && !this.session) void this.start();
  }

  private rings(session: Session, request: Request): void {
    if (this.session) {
      session.terminate({ status_code: 486 });
      return;
    }
    this.session = session;
    session.on("peerconnection", (event: { peerconnection: RTCPeerConnection }) => this.hear(event.peerconnection));
    session.on("accepted", () => this.talking());
    session.on("ended", () => this.over());
    session.on("failed", () => this.over());
    let gathering = 0;
    session.on("icecandidate", (event: { ready: () => void }) => {
      gathering ||= window.setTimeout(event.ready, GATHER_MS);
    });
    const number = session.remote_identity.uri.user ?? "";
    const expected = this.expected;
    this.expected = null;
    // Only the engine writes that header, and only where a click of this person has dialled.
    const clicked = request.getHeader(CLICKED) !== undefined;
    if (clicked && expected && Date.now() < expected.until && sameNumber(expected.number, number)) {
      setTimeout(() => this.answer(session)); // JsSIP has not yet told everybody of the session
      return;
    }
    this.show({ rings: number === "anonymous" ? "" : number });
    this.ringer.start();
  }

  private answer(session: Session): void {
    this.ringer.stop();
    session.answer({ mediaConstraints: { audio: true, video: false }, pcConfig: { iceServers: [] } });
  }

  private hear(connection: RTCPeerConnection): void {
    connection.ontrack = (event) => {
      this.sound.srcObject = event.streams[0] ?? new MediaStream([event.track]);
      void this.sound.play().catch(() => undefined);
    };
  }

  private talking(): void {
    this.ringer.stop();
    this.show({ rings: null, talks: true });
  }

  private over(): void {
    this.ringer.stop();
    this.session = null;
    this.sound.srcObject = null;
    this.show({ rings: null, talks: false, muted: false, held: false });
    if (this.worn) {
      this.worn = false;
      void this.start();
    }
  }

  private mute(session: Session): void {
    if (this.state.muted) session.unmute();
    else session.mute();
    this.show({ muted: !this.state.muted });
  }

  private show(change: Partial<PhoneState>): void {
    this.state = { ...this.state, ...change };
    this.tell(this.state);
  }
}
