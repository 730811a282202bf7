/** Requests to the engine's API, as the person who is logged in. */
import type { Call, Candidate, Note } from "./call";
import { setClock } from "./format";

export interface Me {
  user: {
    key: string;
    name: string;
    email: string | null;
    group: string;
    role: "agent" | "supervisor" | "administrator";
    phones: string[];
    caller_ids: Record<string, string>;
  };
  may: string[];
  models: Record<string, string[]>;
  integrations: { name: string; title: string; account: { state: string; expires_at: string | null } | null }[];
  language: string;
  log_in: string[];
  has_password: boolean;
  dialling: boolean;
  phone_in_page: boolean;
  /** Phones that do not hold a call when they are asked to. */
  cannot_hold: string[];
}

export interface CardField {
  name: string;
  label: string;
  value: string | number | boolean | null;
  type: string;
  editable: boolean;
}

export interface CardContact extends Candidate {
  integration_title: string;
  model_title: string;
  matched: string;
  fields: CardField[];
  may: string[];
}

export interface CreateField {
  name: string;
  label: string;
  type: string;
  needed: boolean;
  value: string | null;
}

export interface Create {
  integration: string;
  model: string;
  title: string;
  fields: CreateField[];
}

export interface Card {
  call: Call;
  contact: CardContact | null;
  candidates: CardContact[];
  others: CardContact[];
  /** Whether other systems are still being asked. */
  others_pending: boolean;
  why: { route: string; rule: string | null; reason: string | null; sentence: string } | null;
  last_calls: Call[];
  create: Create[];
}

export interface Found {
  contacts: CardContact[];
  /** The systems that did not answer. */
  down?: { integration: string }[];
  /** The systems in which a name was searched as a whole only. */
  whole_names?: string[];
}

export interface Account {
  integration: string;
  title: string;
  account: { state: string; expires_at: string | null } | null;
}

export interface SipCredentials {
  id: string;
  username: string;
  password: string;
  realm: string;
  server: string;
  expires_at: string;
  uri: string;
}

export class ApiError extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    readonly remedy: string,
  ) {
    super(message);
  }
}

type Body = Record<string, unknown>;

async function ask<T>(method: string, path: string, body?: Body, more: Record<string, string> = {}): Promise<T> {
  const headers: Record<string, string> = { Accept: "application/json", ...more };
  if (method !== "GET") headers["X-Routing-Engine"] = "1";
  if (body) headers["Content-Type"] = "application/json";
  let answer: Response;
  try {
    answer = await fetch(path, { method, headers, cache: "no-store", ...(body ? { body: JSON.stringify(body) } : {}) });
  } catch {
    throw new ApiError(0, "offline", "", "");
  }
  setClock(answer.headers.get("Date"));
  const found = (await answer.json().catch(() => ({}))) as { error?: { code: string; message: string; remedy: string } };
  if (answer.ok) return found as T;
  const error = found.error ?? { code: "unknown", message: answer.statusText, remedy: "" };
  throw new ApiError(answer.status, error.code, error.message, error.remedy);
}

const of = (id: string) => `/v1/calls/${encodeURIComponent(id)}`;

export interface Search {
  number?: string;
  outcome?: string;
  direction?: string;
  since?: string;
  until?: string;
  cursor?: string;
}

/** Which record a call is to be linked with, or what a record is made of. */
export interface ContactAction {
  action: "link" | "create" | "edit" | "rematch" | "choose";
  integration?: string;
  model?: string;
  id?: string;
  fields?: Record<string, string>;
}

export const api = {
  me: () => ask<Me>("GET", "/v1/me"),
  session: () => ask<{ log_in: string[]; title?: string }>("GET", "/v1/session"),
  logIn: (user: string, password: string) => ask<Me["user"]>("POST", "/v1/session", { user, password }),
  logOut: () => ask<unknown>("DELETE", "/v1/session"),
  password: (old: string, fresh: string) => ask<unknown>("POST", "/v1/me/password", { old, new: fresh }),
  call: (id: string) => ask<Call>("GET", of(id)),
  card: (id: string, wait: boolean) => ask<Card>("GET", `${of(id)}/card${wait ? "?wait=true" : ""}`),
  contact: (id: string, action: ContactAction) => ask<Card>("POST", `${of(id)}/contact`, { ...action }),
  calls: (search: Search) => {
    const given = Object.entries({ limit: "50", ...search }).filter(([, value]) => value);
    return ask<{ calls: Call[]; next: string | null }>("GET", `/v1/calls?${new URLSearchParams(given)}`);
  },
  users: () => ask<{ users: { key: string; name: string }[] }>("GET", "/v1/users"),
  edit: (id: string, edit: Body) => ask<Call>("PATCH", of(id), edit),
  contacts: (words: string) =>
    ask<Found>("GET", `/v1/contacts?${new URLSearchParams({ q: words })}`),
  accounts: () => ask<{ accounts: Account[] }>("GET", "/v1/accounts"),
  connect: (name: string) => ask<{ address: string }>("POST", `/v1/accounts/${encodeURIComponent(name)}`),
  disconnect: (name: string) => ask<unknown>("DELETE", `/v1/accounts/${encodeURIComponent(name)}`),
  dial: (body: { user: string; to: string; phone?: string }, click: string) =>
    ask<Call>("POST", "/v1/calls", body, { "Idempotency-Key": click }),
  act: (id: string, action: string, body: Body) => ask<Call>("POST", `${of(id)}/${action}`, body),
  sip: (user: string) => ask<SipCredentials>("POST", "/v1/sip-credentials", { user }),
  sipEnd: (id: string) => ask<unknown>("DELETE", `/v1/sip-credentials/${encodeURIComponent(id)}`),
};

export type { Call, Note };
