import type { ReactElement } from "react";

import { texts } from "../texts";
import { Icon, type IconName } from "./icons";

interface Props {
  name: string;
  /** What it is done to, for a screen reader. */
  of: string;
  icon: IconName;
  /** Whether Tab stops here. */
  reachable: boolean;
  act: () => void;
}

/** What can be done about a row of a list, at its end. */
export function RowButton({ name, of, icon, reachable, act }: Props): ReactElement {
  return (
    <button
      type="button"
      tabIndex={reachable ? 0 : -1}
      className="button button-icon mr-1.5 border-transparent bg-transparent"
      title={name}
      aria-label={texts.action.of(name, of)}
      onClick={act}
    >
      <Icon name={icon} className="size-4" />
    </button>
  );
}
