import { lazy, type ReactElement, Suspense } from "react";

import { type Route, useRoute } from "./slides/route";
import { texts } from "./texts";
import { Alerts } from "./view/Alerts";
import { Announcer } from "./view/Announcer";
import { FileInputs } from "./view/fileInputs";
import { Header } from "./view/Header";
import { DropOverlay, useDropTarget } from "./view/dropTarget";
import { TilesPage } from "./view/TilesPage";

/** Slides are fetched with the first visit to them. */
const SlidesPage = lazy(() =>
  import("./slides/worklist/SlidesPage").then(({ SlidesPage }) => ({ default: SlidesPage })),
);
const SlidePage = lazy(() =>
  import("./slides/viewer/SlidePage").then(({ SlidePage }) => ({ default: SlidePage })),
);

export function App(): ReactElement {
  const route = useRoute();
  const dropping = useDropTarget();
  return (
    <div
      className={`relative flex flex-col ${route.page === "slides" ? "h-dvh" : "min-h-dvh lg:h-dvh"}`}
    >
      <Header />
      <Suspense fallback={<Opening />}>
        <Page route={route} />
      </Suspense>
      <Alerts />
      <Announcer />
      <FileInputs />
      {dropping && <DropOverlay />}
    </div>
  );
}

function Page({ route }: { route: Route }): ReactElement {
  switch (route.page) {
    case "tiles":
      return <TilesPage />;
    case "slides":
      return <SlidesPage />;
    case "slide":
      return <SlidePage key={route.id} id={route.id} view={route.view} />;
  }
}

function Opening(): ReactElement {
  return (
    <main id="result" tabIndex={-1} className="flex-1 p-6 text-center text-sm text-quiet">
      {texts.pagesOfApp.opening}
    </main>
  );
}
