import type { ReactElement } from "react";

import type { SlideView } from "../route";

export interface SlidePageProps {
  id: string;
  /** From the address: null where it names none. */
  view: SlideView | null;
}

export function SlidePage({ id }: SlidePageProps): ReactElement {
  return (
    <main id="result" tabIndex={-1} className="flex-1 p-4">
      {id}
    </main>
  );
}
