/** What a person sets for themselves: language, notifications, telephone links, their accounts, the telephone in the page. */
import { useEffect, useState } from "preact/hooks";

import { type Account, api } from "./api";
import { Fault, useAction, useChanges, useDesk } from "./desk";
import { day } from "./format";
import { Password } from "./password";
import { keepLanguage, language, t } from "./texts";

const LANGUAGES: Record<string, string> = { en: "English", de: "Deutsch" };

export function Settings() {
  const { me, go } = useDesk();
  return (
    <section class="card settings" aria-label={t("settings")}>
      <div class="head">
        <div>
          <h2>{t("settings")}</h2>
          <p class="soft">
            {me.user.name} · {me.user.group}
          </p>
        </div>
        <button class="plain close" aria-label={t("close")} title={t("close")} onClick={() => go("/")}>
          ×
        </button>
      </div>
      <label class="setting">
        <span>{t("language")}</span>
        <select
          value={language()}
          onChange={(event) => {
            keepLanguage(event.currentTarget.value);
            location.reload(); // every text is another one
          }}
        >
          {Object.entries(LANGUAGES).map(([code, name]) => (
            <option key={code} value={code}>
              {name}
            </option>
          ))}
        </select>
      </label>
      <Notifications />
      <TelLinks />
      {me.phone_in_page && <PhoneSetting />}
      {me.has_password && <Password />}
      <Accounts />
    </section>
  );
}

function Notifications() {
  const [state, setState] = useState("Notification" in window ? Notification.permission : "denied");
  return (
    <div class="setting">
      <span>{t("notifications")}</span>
      {state === "granted" && <span class="soft">{t("notifications_is_on")}</span>}
      {state === "denied" && <span class="soft">{t("notifications_denied")}</span>}
      {state === "default" && (
        <button onClick={() => void Notification.requestPermission().then(setState)}>{t("notifications_on")}</button>
      )}
    </div>
  );
}

function TelLinks() {
  if (!("registerProtocolHandler" in navigator)) return null;
  return (
    <div class="setting">
      <span>{t("tel_links")}</span>
      <button onClick={() => navigator.registerProtocolHandler("tel", `${location.origin}/?dial=%s`)}>{t("tel_on")}</button>
    </div>
  );
}

function PhoneSetting() {
  const { phone, me } = useDesk();
  useChanges(phone);
  return (
    <div class="setting">
      <span>{t("phone")}</span>
      {phone.wanted ? (
        <button onClick={() => phone.off()}>{t("phone_off")}</button>
      ) : (
        <button onClick={() => void phone.on(me)}>{t("phone_on")}</button>
      )}
    </div>
  );
}

function Accounts() {
  const [accounts, setAccounts] = useState<Account[]>([]);
  const action = useAction();
  const look = async () => setAccounts((await api.accounts()).accounts);
  useEffect(() => {
    action.run(look);
    const again = () => void look().catch(() => undefined);
    addEventListener("focus", again); // the CRM's page, where one logs in, is another tab
    return () => removeEventListener("focus", again);
  }, []);
  const came = new URLSearchParams(location.search).get("result");
  const connect = (name: string) =>
    action.run(async () => {
      location.assign((await api.connect(name)).address);
    });
  const disconnect = (name: string) =>
    action.run(async () => {
      await api.disconnect(name);
      await look();
    });
  return (
    <section>
      <h3>{t("accounts")}</h3>
      <p class="soft">{accounts.length ? t("accounts_more") : t("no_accounts")}</p>
      {came && came !== "connected" && (
        <p class="fault" role="alert">
          {t("account_failed")}
        </p>
      )}
      <ul class="plain">
        {accounts.map((one) => (
          <li class="setting" key={one.integration}>
            <span>
              {one.title} <AccountState account={one} />
            </span>
            <span class="buttons">
              {one.account && <button onClick={() => disconnect(one.integration)}>{t("disconnect")}</button>}
              {one.account?.state !== "connected" && (
                <button class="main" onClick={() => connect(one.integration)}>
                  {t(one.account ? "connect_again" : "connect")}
                </button>
              )}
            </span>
          </li>
        ))}
      </ul>
      <Fault error={action.error} />
    </section>
  );
}

function AccountState({ account }: { account: Account }) {
  const state = account.account;
  const word = !state ? "account_none" : state.state === "connected" ? "account_ok" : "account_expired";
  return (
    <span class="soft">
      {t(word)}
      {state?.expires_at && state.state === "connected" && `, ${t("account_until", day(state.expires_at))}`}
    </span>
  );
}
