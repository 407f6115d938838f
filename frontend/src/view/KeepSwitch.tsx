import { type ReactElement, useId } from "react";

import { keepOrNot } from "../session/keep";
import { useSession } from "../session/store";
import { texts } from "../texts";

/** Says what is kept, and asks whether more should be. */
export function KeepSwitch(): ReactElement {
  const keep = useSession((session) => session.keep);
  const meaning = useId();
  return (
    <div className="text-sm">
      <label className="inline-flex min-h-6 items-center gap-2 font-medium">
        <input
          type="checkbox"
          className="size-4 accent-accent"
          checked={keep}
          aria-describedby={meaning}
          onChange={(event) => {
            keepOrNot(event.target.checked);
          }}
        />
        {texts.keep.label}
      </label>
      <p id={meaning} className="text-quiet">
        {keep ? texts.keep.yes : texts.keep.no}
      </p>
    </div>
  );
}
