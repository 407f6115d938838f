import { type ReactElement, useRef, useState } from "react";

import { texts } from "../texts";
import { Dialog } from "./Dialog";
import { HelpDialog } from "./Help";
import { Icon, Logo } from "./icons";
import { ServiceStatus } from "./Service";
import { applyTheme, theme, THEMES, type Theme } from "./theme";

export function Header(): ReactElement {
  return (
    <header className="border-b border-line bg-surface">
      <a href="#result" className="button absolute left-2 top-2 z-50 not-focus:sr-only">
        {texts.skip}
      </a>
      <div className="flex h-14 items-center gap-3 px-4">
        <Logo />
        <div className="min-w-0 flex-1">
          <h1 className="text-lg/5 font-semibold">{texts.name}</h1>
          <p className="hidden truncate text-sm text-quiet sm:block">{texts.question}</p>
        </div>
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
