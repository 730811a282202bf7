/** What people and calls are called on the page. */
import { type Call, otherNumber } from "./call";
import { t } from "./texts";

/** The name of the other party, else its number. */
export function nameOf(call: Call): string {
  return call.contact?.name ?? otherNumber(call) ?? t("withheld");
}

/** The names of colleagues, by their keys, as far as they are known. */
const people = new Map<string, string>();

export function learnNames(found: readonly { key: string; name: string }[]): void {
  for (const one of found) people.set(one.key, one.name);
}

export function personOf(key: string | null): string {
  return key === null ? t("somebody") : (people.get(key) ?? key);
}
