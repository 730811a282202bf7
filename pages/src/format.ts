/** How moments, durations and links are written for people. */
import { locale } from "./texts";

const MINUTE_S = 60;

/** How far the engine's clock is ahead of this machine's, in ms: a wrong clock here must not tell wrong durations. */
let ahead = 0;

export function setClock(date: string | null): void {
  if (date) ahead = Date.parse(date) - Date.now();
}

export function now(): number {
  return Date.now() + ahead;
}

export function since(moment: string): number {
  return Math.max(0, (now() - Date.parse(moment)) / 1000);
}

/** `0:07`, `12:30`, `1:02:03`. */
export function duration(seconds: number): string {
  const whole = Math.floor(seconds);
  const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor(whole / MINUTE_S) % MINUTE_S, whole % MINUTE_S];
  const two = (value: number) => String(value).padStart(2, "0");
  return hours ? `${hours}:${two(minutes)}:${two(rest)}` : `${minutes}:${two(rest)}`;
}

/** The time of today, the day of another day with its time. */
export function moment(text: string): string {
  const at = new Date(text);
  const time = at.toLocaleTimeString(locale(), { hour: "2-digit", minute: "2-digit" });
  if (at.toDateString() === new Date().toDateString()) return time;
  return `${at.toLocaleDateString(locale(), { day: "numeric", month: "short" })}, ${time}`;
}

export function day(text: string): string {
  return new Date(text).toLocaleDateString(locale(), { day: "numeric", month: "long", year: "numeric" });
}

/** An address that may be a link; null for everything that is no page of the web, as `javascript:`. */
export function link(address: string | null): string | null {
  try {
    const found = new URL(address ?? "");
    return found.protocol === "https:" || found.protocol === "http:" ? found.href : null;
  } catch {
    return null;
  }
}

/** What was written into the dial box, or came with a `tel:` link, as a number to dial. */
export function dialled(text: string): string {
  return text
    .replace(/^tel:/i, "")
    .replace(/;.*$/, "")
    .replace(/\(0\)/, "")
    .replace(/[^\d+*#]/g, "");
}
