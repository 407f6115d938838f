import { type ReactElement, useId } from "react";

import { setPersistence } from "../session/persistence";
import { useSession } from "../session/store";
import { texts } from "../texts";

/** Says what is kept, and asks whether more should be. */
export function PersistenceSwitch(): ReactElement {
  const persist = useSession((session) => session.persist);
  const meaning = useId();
  return (
    <div className="text-sm">
      <label className="inline-flex min-h-6 items-center gap-2 font-medium">
        <input
          type="checkbox"
          className="size-4 accent-accent"
          checked={persist}
          aria-describedby={meaning}
          onChange={(event) => {
            setPersistence(event.target.checked);
          }}
        />
        {texts.keep.label}
      </label>
      <p id={meaning} className="text-quiet">
        {persist ? texts.keep.yes : texts.keep.no}
      </p>
    </div>
  );
}
