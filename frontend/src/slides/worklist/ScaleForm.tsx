import { type FormEvent, type ReactElement, useId, useState } from "react";

import type { Slide } from "../api/types";
import { slideTexts } from "../texts";

const { scale: words } = slideTexts;
const UNCLEAR_SCALE: ReadonlySet<string> = new Set(["no_resolution", "resolution_contradictory"]);
/** What a scanner can have; outside of it the service refuses too. */
const [LEAST_MPP, MOST_MPP] = [0.1, 20];

export function needsScale({ problem }: Slide): boolean {
  return problem !== null && UNCLEAR_SCALE.has(problem.code);
}

/** Asks for the micrometres per pixel that the slide does not state, and has it read with them. */
export function ScaleForm({ onScale }: { onScale: (mpp: number) => void }): ReactElement {
  const [typed, setTyped] = useState("");
  const hint = useId();
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    onScale(Number(typed));
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
      <p id={hint} className="mt-2">
        {words.hint}
      </p>
    </form>
  );
}
