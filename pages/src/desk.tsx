/** What every part of the page needs: who is logged in, the calls, and ways to ask for something and say what failed. */
import { createContext } from "preact";
import { useContext, useEffect, useRef, useState } from "preact/hooks";

import { ApiError, type Me } from "./api";
import type { Feed } from "./feed";
import type { Phone } from "./phone";
import { t, told } from "./texts";

export interface Desk {
  me: Me;
  feed: Feed;
  phone: Phone;
  go(path: string): void;
}

export const DeskContext = createContext<Desk | null>(null);

export function useDesk(): Desk {
  const desk = useContext(DeskContext);
  if (!desk) throw new Error("no desk");
  return desk;
}

/** Draw anew whenever something that can be listened to changes. */
export function useChanges(source: { listen(listener: () => void): () => void }): void {
  const [, draw] = useState(0);
  useEffect(() => {
    const again = () => draw((count) => count + 1);
    again(); // what has come between the first drawing and this moment was told to nobody
    return source.listen(again);
  }, [source]);
}

/** Draw anew each second while `running`, for times that go on. */
export function useSeconds(running: boolean): void {
  const [, draw] = useState(0);
  useEffect(() => {
    if (!running) return undefined;
    const timer = setInterval(() => draw((count) => count + 1), 1000);
    return () => clearInterval(timer);
  }, [running]);
}

export interface Action {
  busy: boolean;
  error: ApiError | null;
  run(work: () => Promise<void>): void;
}

/** One thing at a time: what is asked for meanwhile is dropped, as a double click; with `waits` it comes behind. */
export function useAction(waits = false): Action {
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<ApiError | null>(null);
  const running = useRef(0);
  const last = useRef(Promise.resolve());
  const run = (work: () => Promise<void>) => {
    if (running.current && !waits) return;
    running.current += 1;
    setBusy(true);
    setError(null);
    last.current = last.current
      .then(work)
      .catch((fault: unknown) => setError(fault instanceof ApiError ? fault : new ApiError(0, "unknown", String(fault), "")))
      .finally(() => {
        running.current -= 1;
        setBusy(running.current > 0);
      });
  };
  return { busy, error, run };
}

/** Codes that are the same to a person. What is not known here is said as the engine says it. */
const ALIKE: Record<string, string> = {
  no_dialling: "no_phone",
  call_ended: "not_under_way",
  unknown_call: "not_under_way",
  not_talking: "not_now",
  not_in_call: "not_now",
  not_here: "not_now",
  no_transfer: "not_now",
  no_hold: "not_now",
  no_key: "no_session",
  too_many_at_once: "too_fast",
  too_many_streams: "too_fast",
  crm_busy: "crm_down",
};

function whole({ code, message, remedy }: ApiError, runsIt: boolean): string {
  if (!message) return t("error_offline");
  if (runsIt) return [message, remedy].filter(Boolean).join("; ");
  return code ? `${message}. ${t("ask_administrator")}` : message;
}

/** What an answer of the API is to a person. The remedy that it names is for who runs the engine. */
export function Fault({ error }: { error: ApiError | null }) {
  const runsIt = useContext(DeskContext)?.me.user.role === "administrator";
  if (!error) return null;
  const code = ALIKE[error.code] ?? error.code;
  const text = told("error_", code);
  const known = text !== code;
  return (
    <p class="fault" role="alert">
      {known ? text : whole(error, runsIt)}
    </p>
  );
}
