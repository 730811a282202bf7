/** A search in all calls that the person may see. */
import { useState } from "preact/hooks";

import type { Search } from "./api";
import type { Call } from "./call";
import { CallList, usePages } from "./lists";
import { t, told } from "./texts";

interface Wanted {
  key: string;
  search: Search;
  words: string;
}

const OUTCOMES = ["answered", "missed", "abandoned", "voicemail", "unanswered", "busy", "failed"];
const DIRECTIONS = ["inbound", "outbound", "internal"];

export function SearchForm() {
  const [wanted, setWanted] = useState<Wanted | null>(null);
  const send = (event: Event) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget as HTMLFormElement);
    const text = (name: string) => String(form.get(name) ?? "").trim();
    setWanted(read(text));
  };
  return (
    <>
      <form class="fields search" onSubmit={send} role="search" aria-label={t("search")}>
        <label>
          {t("search_words")}
          <input name="words" type="search" />
        </label>
        <div class="row">
          <label>
            {t("from_day")}
            <input name="since" type="date" />
          </label>
          <label>
            {t("to_day")}
            <input name="until" type="date" />
          </label>
        </div>
        <div class="row">
          <Words name="direction" words={DIRECTIONS} />
          <Words name="outcome" words={OUTCOMES} />
        </div>
        <button class="main">{t("find")}</button>
      </form>
      {wanted && <Found key={wanted.key} wanted={wanted} />}
    </>
  );
}

function Words({ name, words }: { name: "direction" | "outcome"; words: string[] }) {
  return (
    <label>
      {t(name)}
      <select name={name}>
        <option value="">{t("any")}</option>
        {words.map((word) => (
          <option key={word} value={word}>
            {told("", word === "missed" ? "missed_one" : word)}
          </option>
        ))}
      </select>
    </label>
  );
}

/** A number is looked for by the engine; other words are looked for in what it lists. */
function read(text: (name: string) => string): Wanted {
  const words = text("words");
  const isNumber = /^[\d+ ()/-]{3,}$/.test(words);
  const search: Search = { direction: text("direction"), outcome: text("outcome") };
  if (isNumber) search.number = words.replace(/[^\d+]/g, "");
  if (text("since")) search.since = new Date(`${text("since")}T00:00`).toISOString();
  if (text("until")) search.until = new Date(`${text("until")}T23:59:59.999`).toISOString();
  return { key: JSON.stringify([search, words]), search, words: isNumber ? "" : words.toLowerCase() };
}

function Found({ wanted }: { wanted: Wanted }) {
  const pages = usePages(
    [wanted.search],
    () => true,
    () => false,
  );
  const fits = (call: Call) => {
    const texts = [call.contact?.name, call.from, call.to, call.disposition, ...call.tags, ...call.notes.map((note) => note.text)];
    return texts.some((text) => text?.toLowerCase().includes(wanted.words));
  };
  const calls = wanted.words ? pages.calls.filter(fits) : pages.calls;
  return <CallList pages={pages} calls={calls} empty={t("nothing_found")} />;
}
