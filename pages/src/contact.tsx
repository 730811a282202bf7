/** Who is calling: the record with its fields, those to choose from, and what the person's group may do with them. */
import { useState } from "preact/hooks";

import { api, type Card, type CardContact, type ContactAction } from "./api";
import type { Call } from "./call";
import { Fault, useAction } from "./desk";
import { link } from "./format";
import { CreateRecord, EditRecord, LinkRecord } from "./records";
import { t } from "./texts";

const keyOf = (one: CardContact) => `${one.integration} ${one.model} ${one.id}`;

type Open = "edit" | "link" | "create" | null;

export interface ContactProps {
  call: Call;
  card: Card | null;
  take: (card: Card) => void;
}

export function ContactPart({ call, card, take }: ContactProps) {
  const [open, setOpen] = useState<Open>(null);
  const action = useAction();
  const act = (wanted: ContactAction) =>
    action.run(async () => {
      take(await api.contact(call.id, wanted));
      setOpen(null);
    });
  if (!card) return null;
  const { contact, candidates } = card;
  const others = card.others.filter((one) => !contact || keyOf(one) !== keyOf(contact));
  const ambiguous = contact?.matched === "ambiguous" || (!contact && candidates.length > 0);
  return (
    <section class="contact">
      {contact && !ambiguous && <Record record={contact} />}
      {!contact && !ambiguous && call.direction !== "internal" && (
        <p class="soft">{t(call.contact ? "hidden_contact" : "no_contact")}</p>
      )}
      {ambiguous && <Choice candidates={candidates} act={act} />}
      {others.length > 0 && <Others others={others} />}
      <Buttons card={card} open={open} setOpen={setOpen} act={act} busy={action.busy} />
      <Fault error={action.error} />
      {open === "edit" && contact && <EditRecord contact={contact} act={act} />}
      {open === "create" && <CreateRecord create={card.create} act={act} />}
      {open === "link" && <LinkRecord act={act} />}
    </section>
  );
}

interface ButtonsProps {
  card: Card;
  open: Open;
  setOpen: (open: Open) => void;
  act: (wanted: ContactAction) => void;
  busy: boolean;
}

function Buttons({ card, open, setOpen, act, busy }: ButtonsProps) {
  const toggle = (which: Exclude<Open, null>) => ({
    "aria-expanded": open === which,
    onClick: () => setOpen(open === which ? null : which),
  });
  const { contact } = card;
  if (card.call.direction === "internal") return null;
  return (
    <div class="buttons">
      {contact?.may.includes("edit") && <button {...toggle("edit")}>{t("edit")}</button>}
      {card.create.length > 0 && <button {...toggle("create")}>{t("create")}</button>}
      <button {...toggle("link")}>{t("link")}</button>
      <button disabled={busy} onClick={() => act({ action: "rematch" })}>
        {t("rematch")}
      </button>
    </div>
  );
}

/** A record: what it is, a way to it, and its fields. */
export function Record({ record }: { record: CardContact }) {
  const address = link(record.url);
  const fields = record.fields.filter((field) => field.value !== null && field.value !== "");
  return (
    <>
      <p class="record">
        <span class="pill">{record.model_title}</span>
        {address && (
          <a href={address} target="_blank" rel="noopener noreferrer">
            {t("open_record", record.integration_title)}
          </a>
        )}
      </p>
      <dl>
        {fields.map((field) => (
          <div key={field.name}>
            <dt>{field.label}</dt>
            <dd>{String(field.value)}</dd>
          </div>
        ))}
      </dl>
    </>
  );
}

function Choice({ candidates, act }: { candidates: CardContact[]; act: (wanted: ContactAction) => void }) {
  return (
    <div class="choice">
      <h3>{t("ambiguous")}</h3>
      <ul class="plain">
        {candidates.map((one) => (
          <li key={keyOf(one)}>
            <div>
              <strong>{one.name ?? one.id}</strong>{" "}
              <span class="soft">
                {one.model_title} · {one.integration_title}
              </span>
              <p class="soft excerpt">
                {one.fields
                  .slice(0, 3)
                  .map((field) => field.value)
                  .filter(Boolean)
                  .join(" · ")}
              </p>
            </div>
            <button onClick={() => act({ action: "choose", integration: one.integration, model: one.model, id: one.id })}>
              {t("choose")}
              <span class="unseen"> {one.name}</span>
            </button>
          </li>
        ))}
      </ul>
    </div>
  );
}

function Others({ others }: { others: CardContact[] }) {
  return (
    <div class="others">
      <h3>{t("also_in")}</h3>
      {others.map((one) => (
        <details key={keyOf(one)}>
          <summary>
            {one.integration_title}: {one.name ?? one.id}
          </summary>
          <Record record={one} />
        </details>
      ))}
    </div>
  );
}
