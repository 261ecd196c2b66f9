// What a number input does with text it cannot read: it drops a comma, so that 7,5 becomes 75, and the second of two
// points, and takes its default where nothing is left. Which marks it knows depends on the browser and not on the
// language it reports. So here a comma becomes a decimal point, what is no number or can be read in two ways gives way
// to the text before it, and the script hears of both once the value is set.

const FIELD = '[data-testid="stNumberInputField"]'
const GROUPED = /^[+-]?[1-9]\d{0,2}\.\d{3}$/ // with a comma for the point it may be a thousand
const setValue = Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, "value").set

let tell = null
let listening = false
let comma = false // whether the browser itself reads 7,5 as it is meant
const edits = new WeakMap() // input to its text before an edit and what is known of the new text

const within = listener => event => {
  if (event.target instanceof HTMLInputElement && event.target.matches(FIELD)) listener(event.target, event)
}
const ends = event => event.type === "focusout" || event.key === "Enter"

// Typed or pasted, before the browser drops what it does not know.
const edit = within((input, event) => {
  if (!edits.has(input)) edits.set(input, { before: input.value, marked: false, comma: false, wrong: null })
  const now = edits.get(input)
  const text = (event.data ?? "").trim()
  const replacing = getSelection().toString() !== ""
  if (event.inputType.startsWith("delete") || replacing) Object.assign(now, { marked: false, wrong: null })
  if (/[^0-9+\-eE.,]/.test(text)) now.wrong = "no number"
  const marks = text.match(/[.,]/g) ?? []
  if (!marks.length || now.wrong === "no number") return
  if (marks.length > 1 || now.marked || (!replacing && input.value.includes("."))) now.wrong = "two ways"
  now.marked = true
  if (comma || !text.includes(",")) return
  now.comma = true
  event.preventDefault()
  if (!now.wrong) document.execCommand("insertText", false, text.replace(",", "."))
})

// Before Streamlit takes the value.
const judge = within((input, event) => {
  const now = edits.get(input)
  if (!now || !ends(event)) return
  if (!input.value) now.wrong = "no number"
  else if (now.comma && GROUPED.test(input.value)) now.wrong = "two ways"
  if (!now.wrong) return
  setValue.call(input, now.before)
  input.dispatchEvent(new Event("input", { bubbles: true }))
})

// After it has.
const report = within((input, event) => {
  const now = edits.get(input)
  if (!now || !ends(event)) return
  edits.delete(input)
  const { rangeUnderflow, rangeOverflow } = input.validity // then Streamlit does not take it, and the box says so
  const read = now.comma && input.value.includes(".") && !rangeUnderflow && !rangeOverflow
  const what = now.wrong ?? (read ? "comma" : null)
  const key = input.closest('[class*="st-key-"]')?.className.match(/st-key-(\S+)/)?.[1]
  if (what && key && tell) tell("typed", { key, what })
})

// Its language does not tell: only what it makes of a comma does.
function readsComma() {
  const probe = Object.assign(document.createElement("input"), { type: "number", step: "any", ariaHidden: "true" })
  const focused = document.activeElement
  probe.style.cssText = "position: fixed; opacity: 0"
  document.body.append(probe)
  probe.focus({ preventScroll: true })
  document.execCommand("insertText", false, "1,5")
  probe.remove()
  focused?.focus?.({ preventScroll: true })
  return probe.value === "1.5"
}

export default function ({ setTriggerValue }) {
  tell = setTriggerValue
  if (!listening) {
    listening = true
    comma = readsComma()
    document.addEventListener("beforeinput", edit, true)
    for (const type of ["keydown", "focusout"]) {
      document.addEventListener(type, judge, true)
      document.addEventListener(type, report)
    }
  }
}
