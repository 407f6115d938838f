import { type FormEvent, type ReactElement, useState } from "react";

import { submitKey } from "../session/queue";
import { texts } from "../texts";
import { Icon } from "./icons";

/** Asks for an API key, once: tiles wait for it and go on by themselves. */
export function KeyForm({ why }: { why: string }): ReactElement {
  const [typed, setTyped] = useState("");
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    submitKey(typed);
    setTyped("");
  };
  return (
    <form
      onSubmit={submit}
      className="pointer-events-auto flex max-w-2xl flex-wrap items-center gap-x-4 gap-y-2 rounded-xl border border-unsure bg-unsure-soft px-4 py-3 text-sm shadow-lg"
    >
      <Icon name="warning" className="size-6 text-unsure" />
      <p className="min-w-0 flex-1 basis-52">{why}</p>
      <label className="flex items-center gap-2">
        {texts.key.label}
        <input
          type="password"
          autoComplete="off"
          required
          className="field"
          value={typed}
          onChange={(event) => {
            setTyped(event.target.value);
          }}
        />
      </label>
      <button className="button button-main">{texts.key.use}</button>
    </form>
  );
}
