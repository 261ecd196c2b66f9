// A Plotly chart that stays mounted while its numbers change: zoom, hidden curves and hover survive. It follows native
// sliders while they are moved, and steps through the loops. The pictures of a slider's places are fetched one at a time;
// those of the next places ahead, so a key draws one before the server is asked. `Plotly` is the page's own copy, which
// comes with Streamlit's first chart.

const PACE = 350 // milliseconds a frame
const CALM = 1000 // for readers who asked for less motion
const AHEAD = 3 // places on each side of a slider whose pictures are asked for
const LOWEST = 260 // pixels that a chart has in a narrow window
const TYPE = 13 // pixels of the text of charts in type of the usual size
const GRIP = ["pointerdown", "pointerup", "pointercancel"]

const lives = new Map() // by key of the element
const mounted = new WeakMap() // one for each mount: a run of the script calls the default export again
const later = milliseconds => new Promise(resolve => setTimeout(resolve, milliseconds))
const isPlain = value => value !== null && typeof value === "object" && !Array.isArray(value)

const sliderOf = key => document.querySelector(`.st-key-${CSS.escape(key)} [data-testid="stSlider"] input[type=range]`)
const placeOf = key => Number(sliderOf(key)?.value)

// What the address says of all settings but a slider's own.
const othersThan = key => {
  const query = new URLSearchParams(location.search)
  query.delete(key?.replace(/_slider$/, ""))
  return query.toString()
}

// Show that what belongs to the value before a drag is old until the page has run: the number beside the slider, and what
// is said below the picture.
const dim = key => {
  if (key && document.documentElement.hasAttribute("data-dragged")) return
  document.documentElement.toggleAttribute("data-dragged", key !== null)
  for (const box of document.querySelectorAll("[data-old]")) box.removeAttribute("data-old")
  if (key) sliderOf(key)?.closest('[data-testid="stHorizontalBlock"]')?.setAttribute("data-old", "")
}

// The pictures of places of one slider.
class Ahead {
  clear(key = null) {
    this.key = key
    this.others = othersThan(key)
    this.pictures = new Map()
    this.from = null // the page's figure when they were fetched
  }

  keep(key, place, picture, from) {
    if (key !== this.key) this.clear(key)
    this.pictures.set(place, picture)
    this.from = from
  }

  at(moved) {
    return moved && moved.key === this.key ? this.pictures.get(placeOf(moved.key)) : undefined
  }

  // Whether they still belong to the page that shows this figure.
  fits(figure) {
    const known = figure === this.from || [...this.pictures.values()].some(picture => picture.figure === figure)
    return known && this.others === othersThan(this.key)
  }

  // The next place that is missing, first in the direction in which the slider was moved.
  missing({ key, direction }) {
    const place = placeOf(key)
    const steps = Array.from({ length: AHEAD }, (_, step) => step + 1)
    const both = [...steps.map(step => place + step * direction), ...steps.map(step => place - step * direction)]
    const here = key === this.key ? this.pictures : new Map()
    return both.find(next => next >= 0 && next <= Number(sliderOf(key)?.max) && !here.has(next))
  }
}

class Live {
  constructor(root) {
    this.root = root
    this.chart = root.querySelector(".chart")
    this.bar = root.querySelector(".bar")
    this.range = this.bar.querySelector("input")
    this.output = this.bar.querySelector("output")
    this.button = Object.fromEntries([...this.bar.querySelectorAll("button")].map(button => [button.dataset.do, button]))
    this.at = null // the loop that the reader chose; until then the one that the picture opens at is shown
    this.timer = null
    this.asking = false // whether a picture has been asked for and has not come
    this.wanted = false // whether the picture of the slider's place waits until the last one has come
    this.moved = null // the slider that was touched last: its key, place, direction, and whether a pointer holds it
    this.ahead = new Ahead()
    this.ahead.clear()
    this.pictures = 0
    for (const [name, button] of Object.entries(this.button)) button.onclick = () => this.do(name)
    this.range.oninput = () => {
      this.pause()
      this.choose(Number(this.range.value))
    }
    this.bar.onkeydown = event => this.press(event)
    this.follow = this.follow.bind(this)
    for (const type of [...GRIP, "keydown"]) document.addEventListener(type, this.follow, true)
    this.moves = new MutationObserver(() => this.step())
    for (const type of [...GRIP, "pointermove"]) this.chart.addEventListener(type, event => this.sketch(event))
    this.fit = this.fit.bind(this)
    this.sizes = new ResizeObserver(this.fit)
    this.sizes.observe(root)
    this.sizes.observe(root.closest('[data-testid="stMainBlockContainer"]') ?? root) // what comes later may move it down
    window.addEventListener("resize", this.fit)
  }

  // A run of the script: new numbers, or the same under another theme.
  async take(component) {
    this.say = component.setStateValue
    const { data } = component
    if (!data) return this.announce()
    if (data.run !== this.run) this.leave?.abort() // a picture of before would come too late
    if (data.run !== this.run && !this.ahead.fits(data.figure)) // something else was changed
      for (const key of data.row) (lives.get(key) ?? this).ahead.clear()
    this.data = data
    this.run = data.run
    lives.set(data.key, this)
    const { moved } = this.row[0]
    if (!moved?.held) dim(null)
    const ahead = this.sentAhead(moved)
    if (moved?.held && moved.place !== moved.from && !ahead) this.wanted = true // the page is of another place
    else if (!this.sketching) await this.put(ahead ?? data) // nothing moves under the pointer
    this.next()
  }

  // The charts that move together; the first asks for the pictures of all.
  get row() {
    return this.data.row.map(key => lives.get(key) ?? this)
  }

  // The picture of a slider's place, if all charts of the row have theirs.
  sentAhead(moved) {
    return this.row.every(live => live.ahead.at(moved)) ? this.ahead.at(moved) : undefined
  }

  // Draw a picture, unless it is the one that is drawn.
  async put({ figure, alt }) {
    const theme = getComputedStyle(this.root).getPropertyValue("--st-text-color") + typeSize()
    if (this.drawn === figure && this.theme === theme) return this.chart.setAttribute("aria-label", alt)
    this.drawn = figure
    this.theme = theme
    this.root.dataset.busy = "true"
    this.figure = this.read(figure)
    const meaning = meaningOf(this.figure, this.data.lesson)
    if (this.meaning !== meaning) this.restart()
    this.meaning = meaning
    while (!window.Plotly) await later(50)
    if (this.drawn !== figure) return
    this.chart.setAttribute("aria-label", alt)
    const { captions } = this.figure
    this.bar.hidden = !(captions?.length > 1)
    this.root.classList.toggle("steps", !this.bar.hidden) // no `:has` in CSS: every element drawn would restyle the chart
    if (captions) {
      if (this.at !== null && this.at >= this.last) this.at = Infinity // stay at the end
      this.last = captions.length - 1
      this.range.max = this.last
      // Room for the longest, so that the bar keeps its rows while it plays.
      const { fontSize, fontFamily } = getComputedStyle(this.output)
      pen.font = `${fontSize} ${fontFamily}`
      const widest = Math.max(...captions.map(caption => pen.measureText(caption).width))
      this.output.style.minWidth = `min(100%, ${Math.ceil(1.02 * widest)}px)`
      this.name(this.figure.unit)
    }
    await this.show()
  }

  read(figure) {
    return enlarged(coloured(JSON.parse(figure), palette(this.root)), typeSize() / TYPE)
  }

  // Another chart in the place of the last one starts as if it were opened.
  restart() {
    this.pause()
    this.at = null
  }

  // What the bar calls one of its steps.
  name(unit) {
    const before = this.unit ?? "loop"
    if (before === unit) return
    const Capital = word => word[0].toUpperCase() + word.slice(1)
    for (const node of [this.bar, this.range, ...Object.values(this.button)])
      for (const { name, value } of node.attributes)
        if (name === "aria-label" || name === "title")
          node.setAttribute(name, value.replace(before, unit).replace(Capital(before), Capital(unit)))
    this.unit = unit
  }

  // Streamlit's own chart brings Plotly, and is shown until the script has heard of it.
  async announce() {
    while (!window.Plotly) await later(50)
    this.say("ready", true)
  }

  // The loop that is shown.
  get shown() {
    return Math.min(this.last ?? 0, this.at ?? this.figure.opens ?? 0)
  }

  choose(at) {
    this.at = Math.max(0, at)
    this.show()
  }

  show() {
    const { captions } = this.figure
    if (captions) {
      const caption = captions[this.shown]
      this.range.value = this.shown
      this.range.setAttribute("aria-valuetext", caption)
      this.output.textContent = caption
      this.button.first.disabled = this.button.back.disabled = this.shown === 0
      this.button.last.disabled = this.button.on.disabled = this.shown === this.last
      this.button.play.disabled = this.last === 0
    }
    return this.draw()
  }

  // Frames that come faster than they can be drawn are left out.
  async draw() {
    if (this.drawing) return (this.again = true)
    this.drawing = true
    try {
      do {
        this.again = false
        const { data, grown = [], moved = [] } = this.figure
        const traces = data.map(trace => ({ ...trace }))
        for (const trace of grown) for (const axis of "xy") traces[trace][axis] = data[trace][axis].slice(0, this.shown + 1)
        for (const { trace, attribute, values } of moved) traces[trace][attribute] = values[this.shown]
        this.chart.style.height = `${this.height()}px`
        const layout = { ...this.layout, template: this.template, uirevision: this.meaning, autosize: true, height: undefined }
        for (const trace of traces) if (trace.texttemplate && trace.text) trace.text = this.fitting(trace)
        // Below a low chart the legend would lie on the title of the axis.
        if (this.data.heights && !this.figure.captions) layout.legend = { ...layout.legend, yref: "container", y: 0, yanchor: "bottom" }
        await window.Plotly.react(this.chart, traces, layout, JSON.parse(this.data.config))
        this.pictures += 1
        this.root.dataset.pictures = this.pictures
      } while (this.again)
    } finally { // a picture that cannot be drawn does not keep the next one from it
      this.drawing = false
      delete this.root.dataset.busy
    }
  }

  // The numbers of a matrix, all with as many digits as there is room for in its cells; none where there is no room.
  // Numbers that stand in a row, without cells, are a matrix of one row, whose columns are 1 wide.
  fitting({ text, textfont, x, xaxis = "x", z, customdata }) {
    if (!z) return this.fitting({ text: [text], textfont, xaxis, z: [customdata] })[0]
    const { domain = [0, 1], range } = this.layout[xaxis.replace("x", "xaxis")]
    if (!range) return text
    const { l, r } = this.layout.margin
    const share = (domain[1] - domain[0]) / Math.abs(range[1] - range[0])
    const room = share * (this.root.clientWidth - l - r) * (x ? Math.abs(x[1] - x[0]) : 1) - 3
    pen.font = `${textfont.size}px ${palette(this.root).font}`
    const fits = rows => rows.every(row => row.every(number => pen.measureText(number).width <= room))
    const largest = Math.max(...z.flat().map(Math.abs))
    const bare = text.flat().some(number => /^−?\./.test(number)) // without the 0 before the point
    const short = number => bare ? number.replace(/^-?[0.]+$/, "0").replace(/^(-?)0\./, "$1.").replace("-", "−")
      : number.replace(/^-(?=[0.]*$)/, "").replace("-", "−")
    const rounded = digits => text.map((row, i) => row.map((number, j) =>
      number.split(".")[1]?.length > digits ? short(z[i][j].toFixed(digits)) : number))
    const told = [1, 0].filter(digits => largest >= 0.5 * 10 ** -digits) // rounded to nothing they would be untrue
    return [text, ...told.map(rounded)].find(fits) ?? text.map(row => row.map(() => ""))
  }

  // As high as asked, but not beyond the window.
  height() {
    const { height } = this.layout
    const wide = this.figure.layout.height * typeSize() / TYPE
    if (!this.data.heights || height > Math.ceil(wide)) return height // a stacked layout is not squeezed
    const [low, most] = this.data.heights
    const least = window.innerWidth < this.data.narrowest ? Math.max(low, LOWEST) : low // there a legend has many rows
    const top = this.root.getBoundingClientRect().top + (this.root.closest('[data-testid="stMain"]')?.scrollTop ?? 0)
    const below = (this.figure.captions ? this.bar.offsetHeight + 8 : 0) + this.data.below
    return Math.round(Math.max(least, Math.min(most, window.innerHeight - top - below)))
  }

  fit() {
    if (!this.pictures) return
    const size = `${this.root.clientWidth} ${this.height()}`
    if (size !== this.size) {
      this.size = size
      this.figure = this.read(this.drawn) // Plotly widens the ranges of axes with one scale, and would widen them again
      this.draw().then(() => this.chart.offsetWidth && window.Plotly.Plots.resize(this.chart)) // unless it is hidden
    }
  }

  // The value of a slider moves with the pointer, and the server hears of it on release only; a key moves it at once.
  follow({ type, target }) {
    if (type === "pointerdown" || type === "keydown") {
      const key = target.closest?.('[data-testid="stSlider"]')?.closest('[class*="st-key-"]')?.className.match(/st-key-(\S+)/)?.[1]
      this.moves.disconnect()
      if (!this.data?.sliders?.includes(key)) return (this.moved = null)
      if (!this.ahead.fits(this.drawn)) for (const live of this.row) live.ahead.clear()
      if (this.moved?.key !== key) this.moved = { key, place: placeOf(key), direction: 1 }
      if (type === "pointerdown") Object.assign(this.moved, { held: true, from: this.moved.place })
      this.moves.observe(sliderOf(key), { attributeFilter: ["aria-valuetext"] }) // when the slider is drawn
    } else if (this.moved?.held) {
      this.moved.held = this.wanted = false
      // The page does not run if the slider is back where it was.
      if (placeOf(this.moved.key) !== this.moved.from) return
      for (const live of this.row) live.put(live.data)
      dim(null)
    }
  }

  async step() {
    const { moved } = this
    const place = moved && placeOf(moved.key)
    if (!moved || place === moved.place) return
    moved.direction = Math.sign(place - moved.place)
    moved.place = place
    if (moved.held) dim(moved.key)
    const ready = this.sentAhead(moved)
    this.wanted = moved.held && !ready
    if (ready) await Promise.all(this.row.map(live => live.put(live.ahead.at(moved))))
    if (moved.held) this.next() // after a key the page runs by itself
  }

  // A press on the chart puts the nearest point of the curve there; a drag goes on to the next ones.
  sketch(event) {
    const { drawn, stops } = this.data ?? {}
    const area = this.chart.querySelector(".nsewdrag")
    if (!stops || !area || (event.type === "pointerdown" ? !area.contains(event.target) : !this.sketching)) return
    const { x, y } = this.figure.data[drawn]
    if (event.type === "pointerdown") {
      this.sketching = true
      this.chart.setPointerCapture(event.pointerId)
    }
    if (event.type !== "pointercancel") {
      const box = area.getBoundingClientRect()
      const at = ([low, high], share) => low + Math.max(0, Math.min(1, share)) * (high - low)
      const nearest = (values, place) => values.reduce((best, value, k) =>
        Math.abs(Math.log10(value) - place) < Math.abs(Math.log10(values[best]) - place) ? k : best, 0)
      const point = nearest(x, at(this.layout.xaxis.range, (event.clientX - box.left) / box.width))
      y[point] = stops[nearest(stops, at(this.layout.yaxis.range, (box.bottom - event.clientY) / box.height))]
      this.draw()
    }
    if (event.type === "pointerup" || event.type === "pointercancel") {
      this.sketching = false
      this.say("drawn", { values: y, number: (this.sketches = (this.sketches ?? 0) + 1) })
    }
  }

  // Fetch the picture that is wanted, or that of a next place while no pointer waits: one at a time.
  async next() {
    if (!this.moved || this.asking) return
    const { key, held } = this.moved
    const place = this.wanted ? placeOf(key) : held ? undefined : this.ahead.missing(this.moved)
    this.root.dataset.ahead = place === undefined && !held
    if (place === undefined) return
    this.wanted = false
    this.asking = true
    const { run } = this
    const pictures = await this.fetched(key, place)
    this.asking = false
    if (this.closed) return
    if (run !== this.run) return this.next() // the page has been run since
    if (!pictures) return
    for (const live of this.row) live.ahead.keep(key, place, pictures[live.data.key], live.data.figure)
    const follows = this.moved?.key === key && this.moved.held
    this.wanted ||= follows && !this.sentAhead(this.moved)
    this.next() // comes while this one is drawn
    const here = this.sentAhead(this.moved) // the slider may be back at a place whose picture is there
    const { moved } = this
    if (follows) await Promise.all(this.row.map(live => live.put(here ? live.ahead.at(moved) : pictures[live.data.key])))
  }

  // By name of the chart, the pictures at a place of a slider, if the server has them.
  async fetched(key, place) {
    const { asks, run } = this.data
    this.leave = new AbortController()
    try {
      const { signal } = this.leave
      const answer = await fetch(new URL(`picture/${asks}/${run}/${key}/${place}`, document.baseURI), { signal })
      return answer.status === 200 && await answer.json()
    } catch {
      return null // left, or the server is away, which Streamlit says
    }
  }

  do(name) {
    if (name === "play") return this.timer === null ? this.play() : this.pause()
    this.pause()
    this.choose({ first: 0, back: this.shown - 1, on: this.shown + 1, last: Infinity }[name])
    if (this.button[name].disabled) this.button.play.focus() // a disabled button would lose the keyboard
  }

  play() {
    const pace = matchMedia("(prefers-reduced-motion: reduce)").matches ? CALM : PACE
    this.bar.classList.add("playing")
    this.button.play.setAttribute("aria-label", "Pause")
    this.output.setAttribute("aria-live", "off") // said again when it stops
    this.timer = setInterval(() => (this.shown < this.last ? this.choose(this.shown + 1) : this.pause()), pace)
    this.choose(this.shown < this.last ? this.shown + 1 : 0)
  }

  pause() {
    clearInterval(this.timer)
    this.timer = null
    this.bar.classList.remove("playing")
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

  get layout() {
    const { layout, narrow } = this.figure
    return narrow && this.root.clientWidth < this.data.narrowest ? narrow : layout
  }

  get template() {
    return template(palette(this.root))
  }

  close() {
    this.closed = true
    this.leave?.abort()
    if (lives.get(this.data?.key) === this) lives.delete(this.data.key)
    this.pause()
    this.sizes.disconnect()
    window.removeEventListener("resize", this.fit)
    this.moves.disconnect()
    for (const type of [...GRIP, "keydown"]) document.removeEventListener(type, this.follow, true)
    if (window.Plotly) window.Plotly.purge(this.chart)
  }
}

const pen = document.createElement("canvas").getContext("2d")

// What zoom and hidden curves belong to: the lesson, and what stands on the axes but for its numbers.
function meaningOf({ layout }, lesson) {
  const axes = Object.keys(layout).filter(name => /^[xy]axis/.test(name)).map(name => layout[name])
  return JSON.stringify([lesson, ...axes.map(({ type, title }) => [type, title?.text?.replace(/[\p{N}.,e+−-]+/gu, "")])])
}

// Pixels of the text of charts, in proportion to the page's: Streamlit's base is 15.
const typeSize = () => Math.round(parseFloat(getComputedStyle(document.documentElement).fontSize) * TYPE / 15)

// Streamlit's theme, as its own charts read it.
function palette(root) {
  const style = getComputedStyle(root)
  const value = name => style.getPropertyValue(`--st-${name}`).trim()
  const list = name => value(name).split(",").map(colour => colour.trim())
  return {
    text: value("text-color"), back: value("background-color"), font: value("font"),
    lines: list("chart-categorical-colors"), sequential: list("chart-sequential-colors"),
    diverging: list("chart-diverging-colors"),
  }
}

// A figure names the colours of the theme by their number: #000001 is the first.
function coloured(figure, { lines }) {
  const walk = value => {
    if (typeof value === "string" && /^#0000\d\d$/.test(value)) return lines[Number(value.slice(1)) - 1] ?? value
    if (Array.isArray(value)) return typeof value[0] === "number" ? value : value.map(walk)
    return isPlain(value) ? Object.fromEntries(Object.entries(value).map(([key, part]) => [key, walk(part)])) : value
  }
  return walk(figure)
}

// In large type all that is given in pixels for the sake of text grows with it: type, and the margins round the views.
function enlarged(figure, scale) {
  const times = sizes => Object.fromEntries(Object.entries(sizes).map(([name, size]) =>
    [name, typeof size === "number" ? Math.round(size * scale) : size]))
  const walk = (value, name) => {
    if (Array.isArray(value)) return isPlain(value[0]) ? value.map(part => walk(part)) : value
    if (!isPlain(value)) return value
    if (name === "margin" || name?.endsWith("font")) return times(value)
    if (name === "narrow") value = { ...value, height: Math.round(value.height * scale) } // is not fitted to the window
    return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, walk(part, key)]))
  }
  return scale === 1 ? figure : walk(figure)
}

function template({ text, back, font, lines, sequential, diverging }) {
  const scale = colours => colours.map((colour, place) => [place / (colours.length - 1), colour])
  const line = "rgba(128, 128, 128, 0.25)"
  const axis = { automargin: true, ticklabeloverflow: "allow", gridcolor: line, zerolinecolor: line, tickcolor: line, title: { standoff: 8 } }
  const filled = [{ colorscale: scale(sequential) }]
  return {
    data: { heatmap: filled, contour: filled },
    layout: {
      paper_bgcolor: back, plot_bgcolor: back, font: { color: text, family: font, size: typeSize() }, colorway: lines,
      colorscale: { sequential: scale(sequential), sequentialminus: scale([...sequential].reverse()), diverging: scale(diverging) },
      xaxis: { ...axis, showgrid: false, zeroline: false }, yaxis: axis, hoverlabel: { bgcolor: back, bordercolor: line, font: { color: text } },
    },
  }
}

export default function (component) {
  const root = component.parentElement.querySelector(".looped-live")
  if (!mounted.has(root)) mounted.set(root, new Live(root))
  const live = mounted.get(root)
  live.take(component)
  return () => live.close()
}
