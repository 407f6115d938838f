import { type ReactElement, useRef, useState } from "react";

import { SLIDES_HREF, TILES_HREF, useRoute } from "../slides/route";
import { texts } from "../texts";
import { Dialog } from "./Dialog";
import { HelpDialog } from "./Help";
import { Icon, Logo } from "./icons";
import { ServiceStatus } from "./Service";
import { applyTheme, theme, THEMES, type Theme } from "./theme";

export function Header(): ReactElement {
  return (
    <header className="border-b border-line bg-surface">
      <a
        href="#result"
        className="button absolute left-2 top-2 z-50 not-focus:sr-only"
        onClick={(event) => {
          event.preventDefault(); // the address says which page is seen
          document.getElementById("result")?.focus();
        }}
      >
        {texts.skip}
      </a>
      <div className="flex min-h-14 flex-wrap items-center gap-3 px-4 py-2 sm:flex-nowrap sm:py-0">
        <Logo />
        <div className="min-w-0 flex-1">
          <h1 className="text-lg/5 font-semibold">{texts.name}</h1>
          <p className="hidden truncate text-sm text-quiet sm:block">{texts.question}</p>
        </div>
        <Navigation />
        <ServiceStatus />
        <Appearance />
        <HelpDialog />
      </div>
      <p className="border-t border-line bg-accent-soft px-4 py-1 text-center text-xs text-ink sm:text-sm">
        {texts.notice}
      </p>
    </header>
  );
}

/** Tiles or slides; on a narrow screen in a line of its own. */
function Navigation(): ReactElement {
  const { page } = useRoute();
  const pages = [
    [TILES_HREF, texts.pagesOfApp.tiles, page === "tiles"],
    [SLIDES_HREF, texts.pagesOfApp.slides, page !== "tiles"],
  ] as const;
  return (
    <nav aria-label={texts.pagesOfApp.title} className="flex max-sm:order-last max-sm:basis-full">
      {pages.map(([href, name, current]) => (
        <a
          key={href}
          href={href}
          aria-current={current ? "page" : undefined}
          className="button flex-1 first:rounded-r-none last:-ml-px last:rounded-l-none aria-[current]:border-accent aria-[current]:bg-accent-soft aria-[current]:text-accent"
        >
          {name}
        </a>
      ))}
    </nav>
  );
}

function Appearance(): ReactElement {
  const dialog = useRef<HTMLDialogElement>(null);
  const [chosen, setChosen] = useState(theme);
  const pick = (value: Theme): void => {
    applyTheme(value);
    setChosen(value);
  };
  return (
    <>
      <button
        type="button"
        className="button button-icon"
        aria-label={texts.theme.title}
        title={texts.theme.title}
        onClick={() => dialog.current?.showModal()}
      >
        <Icon name="theme" />
      </button>
      <Dialog ref={dialog} title={texts.theme.title}>
        <div className="flex flex-wrap gap-2">
          {THEMES.map((value) => (
            <button
              key={value}
              type="button"
              className="button"
              aria-pressed={chosen === value}
              onClick={() => {
                pick(value);
              }}
            >
              {texts.theme[value]}
            </button>
          ))}
        </div>
      </Dialog>
    </>
  );
}
