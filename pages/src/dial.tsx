/** The box with a number to call. A `tel:` link of another page fills it in, and dials nothing by itself. */
import { useEffect, useState } from "preact/hooks";

import { api } from "./api";
import { Fault, useAction, useDesk } from "./desk";
import { dialled } from "./format";
import { t } from "./texts";

const PHONE = "phone";

/** The telephone that the person has chosen, as long as it is theirs. */
export function chosenPhone(phones: readonly string[]): string | undefined {
  const kept = localStorage.getItem(PHONE);
  return phones.find((one) => one === kept) ?? phones[0];
}

export function useDial(): (number: string) => Promise<void> {
  const { feed, me, phone: inPage } = useDesk();
  return async (number) => {
    const phone = chosenPhone(me.user.phones);
    const body = { user: me.user.key, to: number, ...(phone ? { phone } : {}) };
    // It comes back to the telephone in the page as a call, and the click has answered it.
    inPage.tell({ is: "expect", number });
    feed.take(await api.dial(body, crypto.randomUUID?.() ?? `${Date.now()} ${Math.random()}`));
  };
}

export function DialBox() {
  const { me } = useDesk();
  const [number, setNumber] = useState(() => dialled(new URLSearchParams(location.search).get("dial") ?? ""));
  const [phone, setPhone] = useState(chosenPhone(me.user.phones));
  const action = useAction();
  const dial = useDial();
  useEffect(() => {
    if (!new URLSearchParams(location.search).has("dial")) return;
    history.replaceState(null, "", location.pathname); // a reload fills it in no more
    document.getElementById("number")?.focus();
  }, []);
  const send = (event: Event) => {
    event.preventDefault();
    const wanted = dialled(number);
    if (wanted)
      action.run(async () => {
        await dial(wanted);
        setNumber("");
      });
  };
  const choose = (chosen: string) => {
    localStorage.setItem(PHONE, chosen);
    setPhone(chosen);
  };
  return (
    <form class="dial" onSubmit={send} role="search" aria-label={t("dial")}>
      <input
        id="number"
        aria-label={t("dial_box")}
        placeholder={t("dial_box")}
        inputMode="tel"
        autocomplete="off"
        value={number}
        onInput={(event) => setNumber(event.currentTarget.value)}
      />
      {me.user.phones.length > 1 && (
        <select aria-label={t("dial_phone")} value={phone} onChange={(event) => choose(event.currentTarget.value)}>
          {me.user.phones.map((one) => (
            <option key={one}>{one}</option>
          ))}
        </select>
      )}
      <button class="main" disabled={action.busy}>
        {t("dial")}
      </button>
      <Fault error={action.error} />
    </form>
  );
}
