import { type ReactElement, useId } from "react";

import { type Category, type Sorting, countByCategory, type View } from "../session/worklist";
import { setState, useSession } from "../session/store";
import { texts } from "../texts";

const CATEGORIES: readonly Category[] = [
  "all",
  "yes",
  "indeterminate",
  "no",
  "high-grade",
  "low-grade",
  "serrated",
  "hidden_windows",
  "against_advice",
  "warned",
  "duplicate",
  "failed",
  "open",
];
const SORTINGS = Object.keys(texts.worklist.sortings) as Sorting[];

function changeView(change: Partial<View>): void {
  setState(({ view }) => ({ view: { ...view, ...change } }));
}

export function Filters(): ReactElement {
  const view = useSession((session) => session.view);
  const items = useSession((session) => session.items);
  const counts = countByCategory(items);
  return (
    <>
      <div className="mt-3 flex flex-wrap gap-1.5">
        {CATEGORIES.filter(
          (category) => category === "all" || category === view.category || counts[category] > 0,
        ).map((category) => (
          <button
            key={category}
            type="button"
            className="button min-h-7 rounded-full px-2.5 text-xs"
            aria-pressed={view.category === category}
            onClick={() => {
              changeView({ category: category });
            }}
          >
            {texts.worklist.filters[category]}
            <span className="tabular-nums opacity-80">{counts[category]}</span>
          </button>
        ))}
      </div>
      {items.length > 1 && <Ordering view={view} />}
    </>
  );
}

function Ordering({ view }: { view: View }): ReactElement {
  return (
    <div className="mt-3 flex flex-wrap items-end gap-x-4 gap-y-2 text-xs text-quiet">
      <label className="grid gap-1">
        {texts.worklist.sort}
        <select
          className="field min-h-8"
          value={view.sorting}
          onChange={(event) => {
            changeView({ sorting: event.target.value as Sorting });
          }}
        >
          {SORTINGS.map((sorting) => (
            <option key={sorting} value={sorting}>
              {texts.worklist.sortings[sorting]}
            </option>
          ))}
        </select>
      </label>
      <fieldset>
        <legend className="mb-1">{texts.worklist.range}</legend>
        <div className="flex items-center gap-1.5">
          <Bound
            name={texts.worklist.least}
            share={view.least}
            bounded={(least) => {
              changeView({ least });
            }}
          />
          <span aria-hidden="true">{texts.worklist.most}</span>
          <Bound
            name={texts.worklist.most}
            share={view.most}
            bounded={(most) => {
              changeView({ most });
            }}
          />
        </div>
      </fieldset>
    </div>
  );
}

function Bound({
  name,
  share,
  bounded,
}: {
  name: string;
  share: number;
  bounded: (share: number) => void;
}): ReactElement {
  const id = useId();
  return (
    <input
      id={id}
      type="number"
      min={0}
      max={100}
      step={1}
      aria-label={name}
      className="field min-h-8 w-16 tabular-nums"
      value={Math.round(share * 100)}
      onChange={(event) => {
        bounded(Math.min(1, Math.max(0, event.target.valueAsNumber / 100 || 0)));
      }}
    />
  );
}
