// Steps a Plotly figure through its frames. `Plotly` is the page's own copy, which comes with its first chart.

const PACE = 350 // milliseconds a frame
const CALM = 1000 // for readers who asked for less motion
const PATIENCE = 2500 // milliseconds until a frame counts as lost
const AGAIN = [500, 2000, 6000] // milliseconds after a new chart came
const AT_ONCE = { mode: "immediate", transition: { duration: 0 }, frame: { duration: 0, redraw: true } }

const later = milliseconds => new Promise(resolve => setTimeout(resolve, milliseconds))
const players = new WeakMap() // one for each mount: a run of the script calls the default export again

class Player {
  constructor(root) {
    this.root = root
    this.range = root.querySelector("input")
    this.output = root.querySelector("output")
    this.button = Object.fromEntries([...root.querySelectorAll("button")].map(button => [button.dataset.do, button]))
    this.at = 0
    this.timer = null
    for (const [name, button] of Object.entries(this.button)) button.onclick = () => this.do(name)
    this.range.oninput = () => {
      this.pause()
      this.show(Number(this.range.value))
    }
    root.onkeydown = event => this.press(event)
    this.watcher = new MutationObserver(() => this.settle())
    this.sizes = new ResizeObserver(() => this.settle())
  }

  // New numbers, perhaps the same: stay at the loop that was shown.
  take(data) {
    this.data = data
    this.pause()
    this.last = data.frames.length - 1
    this.range.max = this.last
    this.stage = document.querySelector(`.st-key-${data.stage}`)
    this.watcher.disconnect()
    this.sizes.disconnect()
    this.chart = null
    if (this.stage) {
      this.watcher.observe(this.stage, { childList: true, subtree: true })
      this.sizes.observe(this.stage)
    } else {
      requestAnimationFrame(() => this.root.isConnected && this.data === data && this.take(data))
    }
    this.show(Math.min(this.at, this.last))
  }

  // A chart that is new, or has another width, gets its arrangement and the loop that is shown.
  settle() {
    const chart = this.stage?.querySelector(".js-plotly-plot")
    if (!window.Plotly || !chart?._fullLayout || !chart._transitionData?._frames?.length) return
    const name = this.stage.clientWidth < this.data.narrowest ? "narrow" : "wide"
    const fresh = chart !== this.chart
    if (!fresh && name === this.arrangement) return
    this.chart = chart
    const arrangement = this.data.arrangements[name]
    this.stage.parentElement.style.flex = `0 0 ${arrangement.height}px`
    if (name !== (fresh ? "wide" : this.arrangement)) window.Plotly.relayout(chart, arrangement.layout)
    this.arrangement = name
    if (fresh && this.at > 0) {
      this.draw()
      // Streamlit may draw a new chart once more from its first loop: draw again when that is over.
      for (const wait of AGAIN) later(wait).then(() => chart === this.chart && this.timer === null && this.draw())
    }
  }

  show(at) {
    this.at = Math.max(0, Math.min(this.last, at))
    const caption = this.data.captions[this.at]
    this.range.value = this.at
    this.range.setAttribute("aria-valuetext", caption)
    this.output.textContent = caption
    this.button.first.disabled = this.button.back.disabled = this.at === 0
    this.button.last.disabled = this.button.on.disabled = this.at === this.last
    this.draw()
  }

  // Frames that come faster than they can be drawn are left out. Streamlit redraws a chart after every animation, and
  // where that meets the next one Plotly forgets it: so nothing is waited for without end.
  async draw() {
    const chart = this.chart
    if (!chart || this.busy === chart) return
    this.busy = chart
    for (let drawn = null, lost = 0; chart === this.chart && drawn !== this.at && lost < 5; ) {
      const wanted = this.at
      const animated = window.Plotly.animate(chart, [this.data.frames[wanted]], AT_ONCE).then(() => true, () => false)
      if (await Promise.race([animated, later(PATIENCE)])) drawn = wanted
      else lost += 1
    }
    if (this.busy === chart) this.busy = null
  }

  do(name) {
    if (name === "play") return this.timer === null ? this.play() : this.pause()
    this.pause()
    this.show({ first: 0, back: this.at - 1, on: this.at + 1, last: this.last }[name])
    if (this.button[name].disabled) this.button.play.focus() // a disabled button would lose the keyboard
  }

  play() {
    const pace = matchMedia("(prefers-reduced-motion: reduce)").matches ? CALM : PACE
    this.root.classList.add("playing")
    this.button.play.setAttribute("aria-label", "Pause")
    this.output.setAttribute("aria-live", "off") // said again when it stops
    this.timer = setInterval(() => (this.at < this.last ? this.show(this.at + 1) : this.pause()), pace)
    this.show(this.at < this.last ? this.at + 1 : 0)
  }

  pause() {
    clearInterval(this.timer)
    this.timer = null
    this.root.classList.remove("playing")
    this.button.play.setAttribute("aria-label", "Play")
    this.output.setAttribute("aria-live", "polite")
  }

  press(event) {
    const name = { ArrowLeft: "back", ArrowRight: "on", Home: "first", End: "last", " ": "play" }[event.key]
    if (!name || event.ctrlKey || event.metaKey || event.altKey) return
    if (event.key === " " && event.target.tagName === "BUTTON") return // presses that button
    event.preventDefault()
    event.stopPropagation() // Streamlit has shortcuts of its own
    this.do(name)
  }

  close() {
    this.pause()
    this.watcher.disconnect()
    this.sizes.disconnect()
  }
}

export default function (component) {
  const { data, parentElement } = component
  const root = parentElement.querySelector(".player")
  if (!players.has(root)) players.set(root, new Player(root))
  const player = players.get(root)
  if (JSON.stringify(player.data) !== JSON.stringify(data)) player.take(data)
  return () => player.close()
}
