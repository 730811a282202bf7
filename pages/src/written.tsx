/** What people write to a call: notes, tags, the result, the mood. It goes to the CRM's entry, too. */
import { useState } from "preact/hooks";

import { api } from "./api";
import type { Call } from "./call";
import { Fault, useAction, useDesk } from "./desk";
import { moment } from "./format";
import { personOf } from "./names";
import { t } from "./texts";

const SENTIMENTS = ["positive", "neutral", "negative"] as const;

export function Written({ call }: { call: Call }) {
  const { feed, me } = useDesk();
  const action = useAction(true);
  if (!me.may.includes("calls.write")) return null;
  const edit = (change: Record<string, unknown>, then: () => void = () => undefined) =>
    action.run(async () => {
      feed.take(await api.edit(call.id, change));
      then();
    });
  return (
    <section class="written">
      <Notes call={call} edit={edit} busy={action.busy} />
      <div class="row">
        <Disposition key={call.disposition} call={call} edit={edit} />
        <fieldset class="mood">
          <legend>{t("sentiment")}</legend>
          {SENTIMENTS.map((one) => (
            <label key={one}>
              <input
                type="radio"
                name={`sentiment ${call.id}`}
                checked={call.sentiment === one}
                onChange={() => edit({ sentiment: one })}
              />
              <span>{t(one)}</span>
            </label>
          ))}
        </fieldset>
      </div>
      <Tags call={call} edit={edit} />
      <Fault error={action.error} />
    </section>
  );
}

interface EditProps {
  call: Call;
  edit: (change: Record<string, unknown>, then?: () => void) => void;
}

function Notes({ call, edit, busy }: EditProps & { busy: boolean }) {
  const [text, setText] = useState("");
  const send = (event: Event) => {
    event.preventDefault();
    if (text.trim()) edit({ notes: text.trim() }, () => setText(""));
  };
  return (
    <form onSubmit={send}>
      <h3>{t("notes")}</h3>
      {call.notes.map((note) => (
        <p class="note" key={`${note.at} ${note.text}`}>
          {note.text}
          <span class="soft">
            {personOf(note.by)}, {moment(note.at)}
          </span>
        </p>
      ))}
      <textarea
        aria-label={t("note_new")}
        placeholder={t("note_new")}
        rows={2}
        value={text}
        onInput={(event) => setText(event.currentTarget.value)}
        onKeyDown={(event) => {
          if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) send(event);
        }}
      />
      {text.trim() && (
        <button class="main" disabled={busy}>
          {t("note_add")}
        </button>
      )}
    </form>
  );
}

function Disposition({ call, edit }: EditProps) {
  const [text, setText] = useState(call.disposition ?? "");
  const save = () => {
    if (text.trim() !== (call.disposition ?? "")) edit({ disposition: text.trim() || null });
  };
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        save();
      }}
    >
      <label>
        {t("disposition")}
        <input value={text} maxLength={200} onInput={(event) => setText(event.currentTarget.value)} onBlur={save} />
      </label>
    </form>
  );
}

function Tags({ call, edit }: EditProps) {
  const [text, setText] = useState("");
  const send = (event: Event) => {
    event.preventDefault();
    if (text.trim()) edit({ tags: { add: [text.trim()] } }, () => setText(""));
  };
  return (
    <form class="tags" onSubmit={send}>
      {call.tags.map((tag) => (
        <span class="pill" key={tag}>
          {tag}
          <button
            type="button"
            class="plain"
            aria-label={t("tag_remove", tag)}
            title={t("tag_remove", tag)}
            onClick={() => edit({ tags: { remove: [tag] } })}
          >
            ×
          </button>
        </span>
      ))}
      <input
        aria-label={t("tag_new")}
        placeholder={t("tag_new")}
        maxLength={100}
        value={text}
        onInput={(event) => setText(event.currentTarget.value)}
      />
      {text.trim() && <button>{t("tag_add")}</button>}
    </form>
  );
}
