// Log in, register with an invite, log out.

import { enter, leave } from "../api.js";
import { at, write } from "../dom.js";
import { hear, known, tell } from "../state.js";

/** Wires the form and the header's button. */
export function mount() {
  const form = at("login");
  const complaint = at("login-complaint");
  const toggle = at("register-toggle");
  const title = at("welcome-title");
  const send = form.querySelector("button[type=submit]");
  const extra = [...form.querySelectorAll("[data-register]")];
  let registers = false;

  const show = () => {
    extra.forEach((element) => (element.hidden = !registers));
    form.elements.invite_code.required = registers;
    form.elements.password.autocomplete = registers ? "new-password" : "current-password";
    write(title, registers ? "Register" : "Log in");
    write(send, registers ? "Register" : "Log in");
    write(toggle, registers ? "I have an account" : "Register with an invite");
    toggle.setAttribute("aria-pressed", String(registers));
    write(complaint, "");
  };
  toggle.addEventListener("click", () => {
    registers = !registers;
    show();
    form.elements[registers ? "invite_code" : "email"].focus();
  });
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    write(complaint, "");
    send.disabled = true;
    const { email, password, invite_code } = Object.fromEntries(new FormData(form));
    try {
      const user = await enter(registers ? "api/register" : "api/login", registers ? { email, password, invite_code } : { email, password });
      form.reset();
      registers = false;
      show();
      known.entered = true;
      tell("user", user);
      scrollTo({ top: 0, behavior: "instant" });
    } catch (error) {
      write(complaint, capitalised(error));
      form.elements.password.focus();
    } finally {
      send.disabled = false;
    }
  });
  at("to-login").addEventListener("click", (event) => {
    event.preventDefault();
    form.scrollIntoView({ block: "center" });
    form.elements.email.focus({ preventScroll: true });
  });
  at("logout").addEventListener("click", async () => {
    tell("user", null);
    await leave();
  });
  hear("user", (user) => {
    write(at("who"), user ? `${user.email} · ${user.role}` : "");
    at("who").title = user ? user.email : "";
  });
}

const capitalised = ({ message }) => message.charAt(0).toUpperCase() + message.slice(1);
