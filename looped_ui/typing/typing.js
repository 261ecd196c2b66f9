// What a number input does with text it cannot read: it drops a comma, so that 7,5 becomes 75, and takes its default for
// what is no number. Here a comma becomes a decimal point, and the script hears of both once the value is set.

const FIELD = '[data-testid="stNumberInputField"]'
const COMMA = new Intl.NumberFormat(navigator.language).format(1.5).includes(",") // then the browser reads it as it is meant

let tell = null
let listening = false
const typed = new WeakMap() // input to what happened to its text since its value was set

const within = listener => event => {
  if (event.target instanceof HTMLInputElement && event.target.matches(FIELD)) listener(event.target, event)
}

// Typed or pasted, before the browser drops what it does not know.
const replace = within((input, event) => {
  if (COMMA || !event.data?.includes(",")) return
  event.preventDefault()
  typed.set(input, "comma")
  document.execCommand("insertText", false, event.data.replaceAll(",", "."))
})

// Before Streamlit takes the value.
const judge = within((input, event) => {
  if ((event.type === "focusout" || event.key === "Enter") && input.validity.badInput) typed.set(input, "no number")
})

// After it has.
const report = within((input, event) => {
  if (event.type !== "focusout" && event.key !== "Enter") return
  const what = typed.get(input)
  typed.delete(input)
  const key = input.closest('[class*="st-key-"]')?.className.match(/st-key-(\S+)/)?.[1]
  if (what && key && tell) tell("typed", { key, what })
})

export default function ({ setTriggerValue }) {
  tell = setTriggerValue
  if (!listening) {
    listening = true
    document.addEventListener("beforeinput", replace, true)
    for (const type of ["keydown", "focusout"]) {
      document.addEventListener(type, judge, true)
      document.addEventListener(type, report)
    }
  }
}
