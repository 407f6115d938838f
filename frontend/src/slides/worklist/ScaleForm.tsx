import { type FormEvent, type ReactElement, useId, useState } from "react";

import { slideTexts } from "../texts";

const { scale: words } = slideTexts;
/** What a scanner can have; outside of it the service refuses too. */
const [LEAST_MPP, MOST_MPP] = [0.1, 20];

interface Props {
  /** How many more slides want a scale; they can be given the same. */
  others?: number;
  onScale: (mpp: number, all: boolean) => void;
}

/** Asks for the micrometres per pixel that the slide does not state, and has it read with them. */
export function ScaleForm({ others = 0, onScale }: Props): ReactElement {
  const [typed, setTyped] = useState("");
  const [all, setAll] = useState(false);
  const hint = useId();
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    onScale(Number(typed), all && others > 0);
  };
  return (
    <form onSubmit={submit} className="rounded-xl border border-unsure bg-unsure-soft p-3 text-sm">
      <h3 className="font-semibold">{words.title}</h3>
      <div className="mt-2 flex flex-wrap items-end gap-2">
        <label className="grid gap-1">
          {words.label}
          <input
            type="number"
            required
            min={LEAST_MPP}
            max={MOST_MPP}
            step="any"
            data-scale
            aria-describedby={hint}
            className="field w-28 tabular-nums"
            value={typed}
            onChange={(event) => {
              setTyped(event.target.value);
            }}
          />
        </label>
        <button className="button button-main">{words.go}</button>
      </div>
      {others > 0 && (
        <label className="mt-2 flex min-h-7 items-center gap-2">
          <input
            type="checkbox"
            className="size-4 accent-accent"
            checked={all}
            onChange={(event) => {
              setAll(event.target.checked);
            }}
          />
          {words.all(others)}
        </label>
      )}
      <p id={hint} className="mt-2">
        {words.hint}
      </p>
    </form>
  );
}
