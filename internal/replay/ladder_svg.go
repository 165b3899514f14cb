package replay

import (
	"fmt"
	"html"
	"io"
	"strings"

	"github.com/gosctp/gosctp/internal/mono"
)

// The picture: time runs down, this host is on the left. Its measures, in
// units of SVG.
const (
	svgTime   = 130 // where times end
	svgLeft   = 330 // this host's line
	svgRight  = 880 // the peer's
	svgWidth  = 1180
	svgRow    = 28
	svgSlope  = 9 // what a packet sinks on its way
	svgHead   = 64
	svgGap    = 100 * mono.Millisecond // silence that gets a mark
	svgState  = 10                     // width of the bar that shows the state
	svgFooter = 24
)

const style = `
.ladder{font:13px ui-monospace,SFMono-Regular,Menlo,Consolas,monospace}
.ladder .dim{font-size:11px}.ladder .h{font-weight:700;font-size:15px}.ladder .note{font-style:italic}.ladder .st{font-weight:700;font-size:11px}
.ladder .life{stroke-width:1.5}.ladder .gap{stroke-dasharray:2 5}.ladder .lab{paint-order:stroke;stroke-width:5px;stroke-linejoin:round}
.ladder .pkt line{stroke-width:1.6}.ladder .pkt:hover line{stroke-width:3}
.ladder .s-CLOSED{fill:#94a3b8}.ladder .s-COOKIE-WAIT{fill:#fbbf24}.ladder .s-COOKIE-ECHOED{fill:#f59e0b}.ladder .s-ESTABLISHED{fill:#22c55e}
.ladder .s-SHUTDOWN-PENDING{fill:#a78bfa}.ladder .s-SHUTDOWN-SENT{fill:#8b5cf6}.ladder .s-SHUTDOWN-RECEIVED{fill:#7c3aed}.ladder .s-SHUTDOWN-ACK-SENT{fill:#6d28d9}
.ladder .bg,body.page{fill:#ffffff;background:#ffffff}.ladder text{fill:#1c2330}.ladder .dim,.ladder .note{fill:#6b7587}
.ladder .life{stroke:#c3cad6}.ladder .gap{stroke:#6b7587}.ladder .lab{stroke:#ffffff}
.ladder .c0{stroke:#1f6feb}.ladder .f0{fill:#1f6feb}.ladder .c1{stroke:#c2410c}.ladder .f1{fill:#c2410c}.ladder .c2{stroke:#15803d}.ladder .f2{fill:#15803d}.ladder .c3{stroke:#9333ea}.ladder .f3{fill:#9333ea}.ladder .c4{stroke:#b45309}.ladder .f4{fill:#b45309}.ladder .c5{stroke:#0e7490}.ladder .f5{fill:#0e7490}
@media (prefers-color-scheme:dark){
.ladder .bg,body.page{fill:#12161d;background:#12161d}.ladder text{fill:#e3e8f0}.ladder .dim,.ladder .note{fill:#8b95a7}
.ladder .life{stroke:#3a4352}.ladder .gap{stroke:#8b95a7}.ladder .lab{stroke:#12161d}
.ladder .c0{stroke:#6ea8fe}.ladder .f0{fill:#6ea8fe}.ladder .c1{stroke:#fb923c}.ladder .f1{fill:#fb923c}.ladder .c2{stroke:#4ade80}.ladder .f2{fill:#4ade80}.ladder .c3{stroke:#c084fc}.ladder .f3{fill:#c084fc}.ladder .c4{stroke:#fbbf24}.ladder .f4{fill:#fbbf24}.ladder .c5{stroke:#22d3ee}.ladder .f5{fill:#22d3ee}
}
`

// WriteSVG draws the ladder as a picture that needs nothing else.
func (l *Ladder) WriteSVG(w io.Writer) error {
	var b strings.Builder
	l.svg(&b)
	_, err := io.WriteString(w, b.String())
	return err
}

// WriteHTML draws the ladder as a page that needs nothing else.
func (l *Ladder) WriteHTML(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>%s</title>\n", html.EscapeString(l.Title))
	b.WriteString("<meta name=\"viewport\" content=\"width=device-width\">\n<style>html,body{margin:0}svg{display:block;margin:0 auto;max-width:100%;height:auto}</style></head>\n<body class=\"page\">\n")
	l.svg(&b)
	b.WriteString("</body></html>\n")
	_, err := io.WriteString(w, b.String())
	return err
}

// canvas collects the elements, and how far down they reach.
type canvas struct {
	b strings.Builder
	y int
}

func (c *canvas) add(format string, args ...any) { fmt.Fprintf(&c.b, format+"\n", args...) }

func (c *canvas) text(x, y int, class, anchor, s string) {
	c.add(`<text x="%d" y="%d" class="%s" text-anchor="%s">%s</text>`, x, y, class, anchor, html.EscapeString(s))
}

func (l *Ladder) svg(b *strings.Builder) {
	c := &canvas{y: 34}
	c.text(24, c.y, "h", "start", l.Title)
	if l.Subtitle != "" {
		c.y += 20
		c.text(24, c.y, "dim", "start", l.Subtitle)
	}
	for _, sec := range l.all() {
		sec.svg(c)
	}
	for _, f := range l.Foot {
		c.y += 20
		c.text(24, c.y, "note", "start", f)
	}
	c.y += svgFooter
	fmt.Fprintf(b, `<svg class="ladder" xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d" role="img"><title>%s</title><style>%s</style>`+"\n",
		svgWidth, c.y, svgWidth, c.y, html.EscapeString(l.Title), style)
	fmt.Fprintf(b, `<rect class="bg" width="%d" height="%d"/>`+"\n%s</svg>\n", svgWidth, c.y, c.b.String())
}

func (sec *section) svg(c *canvas) {
	c.y += 44
	c.text(24, c.y, "h", "start", sec.name())
	local, peer := sec.hosts()
	for i, p := range sec.paths {
		if len(sec.paths) < 2 {
			break
		}
		c.y += 18
		c.add(`<line x1="24" x2="56" y1="%d" y2="%d" class="c%d" stroke-width="3"/>`, c.y-4, c.y-4, i%6)
		c.text(64, c.y, "dim", "start", fmt.Sprintf("path %d: %v – %v", i, p.local, p.peer))
	}
	c.y += 34
	c.text(svgLeft, c.y, "h", "middle", strings.Join(local, " "))
	c.text(svgRight, c.y, "h", "middle", strings.Join(peer, " "))
	c.y += 12
	top := c.y
	var body canvas
	body.y = c.y + svgRow
	sec.rows(&body)
	c.add(`<line class="life" x1="%d" x2="%d" y1="%d" y2="%d"/>`, svgLeft, svgLeft, top, body.y)
	c.add(`<line class="life" x1="%d" x2="%d" y1="%d" y2="%d"/>`, svgRight, svgRight, top, body.y)
	c.b.WriteString(body.b.String())
	c.y = body.y
}

// rows draws the packets, and the bar of states beside this host's line.
func (sec *section) rows(c *canvas) {
	var last mono.Time
	state, since := "", 0
	bar := func(to int) {
		if state != "" && to > since {
			c.add(`<rect x="%d" y="%d" width="%d" height="%d" rx="3" class="s-%s"><title>%s</title></rect>`,
				svgLeft-svgState-4, since, svgState, to-since, state, state)
		}
	}
	for i := range sec.rungs {
		r := &sec.rungs[i]
		if i > 0 && r.at.Sub(last) >= svgGap {
			for _, x := range []int{svgLeft, svgRight} {
				c.add(`<line class="gap" x1="%d" x2="%d" y1="%d" y2="%d"/>`, x, x, c.y-4, c.y+svgRow-12)
			}
			c.text((svgLeft+svgRight)/2, c.y+6, "dim", "middle", "⋮ "+r.at.Sub(last).String()+" later")
			c.y += svgRow
		}
		if i == 0 || r.at != last {
			c.text(svgTime, c.y+4, "dim", "end", clock(r.at))
		}
		last = r.at
		switch {
		case r.state != "":
			bar(c.y)
			state, since = r.state, c.y
			c.text(svgLeft-svgState-12, c.y+12, "st", "end", r.state)
		case len(r.chunks) == 0:
			c.text(svgLeft+12, c.y+4, "note", "start", r.note)
		default:
			sec.packet(c, r)
		}
		c.y += svgRow
	}
	bar(c.y)
}

// packet draws one arrow; what it says shows when it is pointed at.
func (sec *section) packet(c *canvas, r *rung) {
	k := sec.pathIndex(r.path) % 6
	x1, x2 := svgLeft, svgRight
	tip := -9
	if !r.out {
		x1, x2 = svgRight, svgLeft
		tip = 9
	}
	y1, y2 := c.y-svgSlope/2, c.y+svgSlope-svgSlope/2
	title := fmt.Sprintf("step %d\n%s", r.step, strings.Join(r.chunks, "\n"))
	if len(r.why) > 0 {
		title += "\n\n" + strings.Join(r.why, "\n")
	}
	c.add(`<g class="pkt"><title>%s</title>`, html.EscapeString(title))
	c.add(`<line x1="%d" y1="%d" x2="%d" y2="%d" class="c%d"/>`, x1, y1, x2, y2, k)
	c.add(`<path d="M%d %d l%d -5 l0 10 z" class="f%d"/>`, x2, y2, tip, k)
	c.text((svgLeft+svgRight)/2, c.y-5, "lab", "middle", cutTo(r.label(), 60))
	note := fmt.Sprintf("step %d", r.step)
	if r.note != "" {
		note += ", " + r.note
	}
	c.text(svgRight+16, c.y+4, "dim", "start", note)
	c.add(`</g>`)
}
