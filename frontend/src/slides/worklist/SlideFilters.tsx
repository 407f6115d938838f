import type { ReactElement } from "react";

import type { Answer } from "../../api/types";
import { texts } from "../../texts";
import type { SlideFilter, SlideState } from "../api/types";
import { slideTexts } from "../texts";
import { CaseLine } from "./CaseLine";
import { allSlides, changeFilter, useSlides } from "./store";

const { filters: words } = slideTexts;
const STATES = Object.keys(slideTexts.states) as SlideState[];
const ANSWERS: readonly Answer[] = ["yes", "indeterminate", "no"];
const REVIEWS = ["disagree", "agree", "none"] as const;
const SORTINGS = ["risk", "case", "name"] as const;

export function SlideFilters(): ReactElement | null {
  const filter = useSlides((session) => session.filter);
  const counts = useSlides((session) => session.counts);
  if (!counts) return null;
  return (
    <div role="group" aria-label={words.title}>
      <div className="mt-3 flex gap-1.5 overflow-x-auto py-0.5 sm:flex-wrap">
        <Chip name={words.all} count={allSlides(counts)} filter={filter} state={null} />
        {STATES.filter((state) => state === filter.state || counts[state] > 0).map((state) => (
          <Chip
            key={state}
            name={slideTexts.states[state]}
            count={counts[state]}
            filter={filter}
            state={state}
          />
        ))}
      </div>
      <Choices filter={filter} />
      {filter.case && (
        <div className="mt-3 border-t border-line pt-2">
          <CaseLine name={filter.case} />
        </div>
      )}
    </div>
  );
}

interface ChipProps {
  name: string;
  count: number;
  filter: SlideFilter;
  state: SlideState | null;
}

function Chip({ name, count, filter, state }: ChipProps): ReactElement {
  return (
    <button
      type="button"
      className="button min-h-7 rounded-full px-2.5 text-xs"
      aria-pressed={(filter.state ?? null) === state}
      onClick={() => {
        changeFilter({ state });
      }}
    >
      {name}
      <span className="tabular-nums opacity-80">{count}</span>
    </button>
  );
}

function Choices({ filter }: { filter: SlideFilter }): ReactElement {
  return (
    <div className="mt-3 grid grid-cols-2 gap-2 sm:grid-cols-[auto_auto_1fr] text-xs text-quiet">
      <Choice
        name={words.verdict}
        value={filter.verdict ?? ""}
        options={[
          ["", words.anyVerdict],
          ...ANSWERS.map((answer) => [answer, texts.verdict.words[answer]] as const),
        ]}
        choose={(value) => {
          changeFilter({ verdict: (value || null) as SlideFilter["verdict"] & (Answer | null) });
        }}
      />
      <Choice
        name={words.review}
        value={filter.review ?? ""}
        options={[
          ["", words.reviews.any],
          ...REVIEWS.map((review) => [review, words.reviews[review]] as const),
        ]}
        choose={(value) => {
          changeFilter({ review: value === "" ? null : (value as (typeof REVIEWS)[number]) });
        }}
      />
      <Choice
        name={words.sort}
        className="max-sm:col-span-2"
        value={filter.sort ?? "risk"}
        options={SORTINGS.map((sort) => [sort, words.sortings[sort]] as const)}
        choose={(value) => {
          changeFilter({ sort: value as (typeof SORTINGS)[number] });
        }}
      />
    </div>
  );
}

interface ChoiceProps {
  name: string;
  value: string;
  options: readonly (readonly [string, string])[];
  className?: string;
  choose: (value: string) => void;
}

function Choice({ name, value, options, choose, className = "" }: ChoiceProps): ReactElement {
  return (
    <label className={`${className} grid min-w-0 gap-1`}>
      {name}
      <select
        className="field min-h-8 w-full min-w-0"
        value={value}
        onChange={(event) => {
          choose(event.target.value);
        }}
      >
        {options.map(([key, text]) => (
          <option key={key} value={key}>
            {text}
          </option>
        ))}
      </select>
    </label>
  );
}
