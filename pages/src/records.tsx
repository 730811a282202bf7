/** Forms that edit, create and link records of other systems. */
import { useState } from "preact/hooks";

import { api, type CardContact, type ContactAction, type Create, type Found } from "./api";
import { Fault, useAction } from "./desk";
import { t } from "./texts";

type Act = (wanted: ContactAction) => void;

interface Line {
  name: string;
  label: string;
  needed: boolean;
  type: string;
  value: string;
}

export function EditRecord({ contact, act }: { contact: CardContact; act: Act }) {
  const lines = contact.fields.filter((field) => field.editable).map((field) => ({
    name: field.name,
    label: field.label,
    needed: false,
    type: field.type,
    value: field.value === null ? "" : String(field.value),
  }));
  const before = new Map(lines.map((line) => [line.name, line.value]));
  const save = (fields: Record<string, string>) => {
    const changed = Object.entries(fields).filter(([name, value]) => before.get(name) !== value);
    if (changed.length) {
      const { integration, model, id } = contact;
      act({ action: "edit", integration, model, id, fields: Object.fromEntries(changed) });
    }
  };
  return <RecordForm title={t("edit")} lines={lines} save={save} />;
}

export function CreateRecord({ create, act }: { create: Create[]; act: Act }) {
  const [index, setIndex] = useState(0);
  const chosen = create[index];
  if (!chosen) return null;
  const lines = chosen.fields.map((field) => ({ ...field, value: field.value ?? "" }));
  const { integration, model } = chosen;
  return (
    <>
      {create.length > 1 && (
        <label>
          {t("create")}
          <select value={index} onChange={(event) => setIndex(Number(event.currentTarget.value))}>
            {create.map((one, at) => (
              <option key={`${one.integration} ${one.model}`} value={at}>
                {one.title}
              </option>
            ))}
          </select>
        </label>
      )}
      <RecordForm
        key={`${integration} ${model}`}
        title={t("create_in", chosen.title)}
        lines={lines}
        save={(fields) => act({ action: "create", integration, model, fields })}
      />
    </>
  );
}

function RecordForm({ title, lines, save }: { title: string; lines: Line[]; save: (fields: Record<string, string>) => void }) {
  const [values, setValues] = useState<Record<string, string>>(Object.fromEntries(lines.map((one) => [one.name, one.value])));
  const send = (event: Event) => {
    event.preventDefault();
    save(values);
  };
  return (
    <form class="fields" onSubmit={send} aria-label={title}>
      {lines.map((line) => (
        <label key={line.name}>
          <span>
            {line.label}
            {line.needed && <span class="soft"> ({t("needed")})</span>}
          </span>
          <input
            inputMode={line.type === "email" ? "email" : "text"}
            required={line.needed}
            value={values[line.name]}
            onInput={(event) => setValues({ ...values, [line.name]: event.currentTarget.value })}
          />
        </label>
      ))}
      <button class="main">{t("save")}</button>
    </form>
  );
}

/** Find a record by words, and link it. */
export function LinkRecord({ act }: { act: Act }) {
  const [words, setWords] = useState("");
  const [found, setFound] = useState<Found | null>(null);
  const action = useAction();
  const send = (event: Event) => {
    event.preventDefault();
    action.run(async () => setFound(await api.contacts(words.trim())));
  };
  return (
    <form class="fields" onSubmit={send} aria-label={t("link_title")}>
      <label>
        {t("search_records")}
        <input type="search" required value={words} onInput={(event) => setWords(event.currentTarget.value)} />
      </label>
      <button disabled={action.busy}>{t("find")}</button>
      <Fault error={action.error} />
      {found?.contacts.length === 0 && <p class="soft">{t("no_records")}</p>}
      {found?.whole_names?.map((title) => (
        <p class="soft" key={title}>
          {t("whole_names", title)}
        </p>
      ))}
      {found?.down?.map((one) => <p key={one.integration}>{t("system_down", one.integration)}</p>)}
      <ul class="plain choice">
        {found?.contacts.map((one) => (
          <li key={`${one.integration} ${one.model} ${one.id}`}>
            <div>
              <strong>{one.name ?? one.id}</strong>{" "}
              <span class="soft">
                {one.model_title} · {one.integration_title}
              </span>
            </div>
            <button
              type="button"
              onClick={() => act({ action: "link", integration: one.integration, model: one.model, id: one.id })}
            >
              {t("link")}
              <span class="unseen"> {one.name}</span>
            </button>
          </li>
        ))}
      </ul>
    </form>
  );
}
