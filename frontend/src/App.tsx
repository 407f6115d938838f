import type { ReactElement } from "react";

import { useSession } from "./session/store";
import { texts } from "./texts";
import { Alerts } from "./view/Alerts";
import { Announcer } from "./view/Announcer";
import { FileInputs } from "./view/fileInputs";
import { EmptyWorklist } from "./view/EmptyWorklist";
import { Header } from "./view/Header";
import { useKeyboard } from "./view/keyboard";
import { DropOverlay, useDropTarget } from "./view/dropTarget";
import { TileDetail } from "./view/TileDetail";
import { Worklist } from "./view/Worklist";

export function App(): ReactElement {
  const empty = useSession((session) => session.items.length === 0);
  const showsDetail = useSession((session) => session.showsDetail);
  const dropping = useDropTarget();
  useKeyboard();
  return (
    <div className="relative flex min-h-dvh flex-col lg:h-dvh">
      <Header />
      {empty ? (
        <EmptyWorklist />
      ) : (
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
      )}
      <Alerts />
      <Announcer />
      <FileInputs />
      {dropping && <DropOverlay />}
    </div>
  );
}
