import type { ReactElement } from "react";

import { useSession } from "../session/store";
import { texts } from "../texts";
import { EmptyWorklist } from "./EmptyWorklist";
import { useKeyboard } from "./keyboard";
import { TileDetail } from "./TileDetail";
import { Worklist } from "./Worklist";

export function TilesPage(): ReactElement {
  const empty = useSession((session) => session.items.length === 0);
  const showsDetail = useSession((session) => session.showsDetail);
  useKeyboard();
  if (empty) return <EmptyWorklist />;
  return (
    <main className="grid flex-1 grid-cols-1 content-start lg:content-stretch lg:min-h-0 lg:grid-cols-[minmax(19rem,24rem)_minmax(0,1fr)]">
      <section
        aria-label={texts.worklist.title}
        className={`${showsDetail ? "hidden lg:flex" : "flex"} min-h-0 min-w-0 flex-col border-line lg:border-r`}
      >
        <Worklist />
      </section>
      <section
        id="result"
        tabIndex={-1}
        className={`${showsDetail ? "block" : "hidden lg:block"} min-w-0 relative outline-none lg:min-h-0 lg:overflow-y-auto`}
      >
        <TileDetail />
      </section>
    </main>
  );
}
