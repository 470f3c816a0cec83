// What textual-serve's script leaves to the page: where the WebSocket is, that the font is there before the
// terminal measures it, and why a session has ended. The codes are those of terminal.py.
"use strict";
{
  const reasons = {
    1000: "You have quit.",
    4001: "The session was ended after a long time without a key.",
    4002: "The server was stopped.",
    4003: "As many sessions are open as the server allows (--sessions); close another one.",
    4004: "The program has failed; the terminal where the server runs says why.",
  };
  const lost = "The connection is lost. Is 'ledgit ui --serve' still running? If it was started again, open its new link.";

  const Plain = window.WebSocket;
  window.WebSocket = class extends Plain {
    constructor(...words) {
      super(...words);
      this.addEventListener("close", (event) => {
        document.getElementById("why").textContent = reasons[event.code] ?? lost;
        document.getElementById("start").focus();
      });
    }
    send(data) {
      if (this.readyState === Plain.OPEN) super.send(data);
    }
  };

  const begin = window.onload;
  window.onload = async (event) => {
    const terminal = document.getElementById("terminal");
    terminal.dataset.sessionWebsocketUrl = location.origin.replace(/^http/, "ws") + location.pathname + "ws";
    document.getElementById("start").addEventListener("click", () => location.reload());
    await Promise.allSettled([document.fonts.load("15px 'Roboto Mono'"), document.fonts.load("bold 15px 'Roboto Mono'")]);
    begin.call(window, event);
    document.querySelector(".xterm-helper-textarea")?.focus();
  };
}
