"""The page's style: system fonts, one accent, light and dark by the reader's choice, and paper."""

STYLE = """
:root{color-scheme:light dark;--ground:#f7f7f5;--card:#fff;--ink:#1c2430;--soft:#5d6878;--faint:#8a94a3;--rule:#e4e6ea;
--cell:#f3f4f5;
--c0:#2f6db5;--c1:#d9662f;--c2:#2b9071;--c3:#9455b3;--c4:#c59a1a;--c5:#c74a78;--c6:#4aa3c4;--c7:#7c7468;--on:#fff;
--good:#2b9071;--bad:#cf4a3c}
@media(prefers-color-scheme:dark){:root{--ground:#12151a;--card:#1a1f26;--ink:#e5e9ef;--soft:#a3adbb;--faint:#77828f;
--rule:#2b323c;--cell:#20262e;
--c0:#6ea8e8;--c1:#f0935f;--c2:#56c29f;--c3:#c294de;--c4:#e3c155;--c5:#ee86ad;--c6:#7cc8e4;--c7:#b0a798;--on:#10141a;
--good:#56c29f;--bad:#f0796b}}
*{box-sizing:border-box}
html{-webkit-text-size-adjust:100%}
body{margin:0 auto;max-width:1180px;padding:clamp(16px,4vw,48px);background:var(--ground);color:var(--ink);
font:16px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif;overflow-wrap:anywhere}
header{margin-bottom:28px}
.kind{margin:0;color:var(--c0);font-size:13px;font-weight:600;letter-spacing:.06em;text-transform:uppercase}
h1{margin:2px 0 6px;font-size:clamp(26px,4.5vw,38px);line-height:1.15;font-weight:650;letter-spacing:-.015em}
h2{margin:0 0 14px;font-size:17px;font-weight:620}
p{margin:0 0 10px;max-width:75ch}
.subtitle{color:var(--soft);font-size:18px}
dl{margin:0}dt{color:var(--faint);font-size:13px}dd{margin:0;unicode-bidi:plaintext}
dl.head{display:flex;flex-wrap:wrap;gap:8px 32px;margin-top:14px}
dl.facts{display:grid;grid-template-columns:repeat(auto-fill,minmax(240px,1fr));gap:14px 28px;font-size:14px;padding-top:14px}
.tiles{display:grid;grid-template-columns:repeat(auto-fill,minmax(200px,1fr));gap:14px;margin-bottom:14px}
.tile{background:var(--card);border:1px solid var(--rule);border-radius:12px;padding:16px 18px}
.tile .label{color:var(--soft);font-size:14px}
.tile .value{font-size:34px;line-height:1.2;font-weight:640;letter-spacing:-.02em;font-variant-numeric:tabular-nums;
white-space:nowrap}
.tile.first .value{color:var(--c0)}
.tile .about{color:var(--soft);font-size:13px;font-variant-numeric:tabular-nums}
section .tiles{margin:0}section .tile{background:var(--ground)}
.whisker-line{display:block;width:100%;height:8px;margin:7px 0 6px}
.track{stroke:var(--rule);stroke-width:2}.reach{fill:var(--c0);opacity:.35}.point{fill:var(--c0)}
main{display:grid;grid-template-columns:repeat(2,minmax(0,1fr));gap:14px}
section,details{background:var(--card);border:1px solid var(--rule);border-radius:12px;padding:20px 22px;min-width:0}
section.wide{grid-column:1/-1}
details{margin-top:14px}details table{margin-top:12px}summary{cursor:pointer;font-weight:620}
.note{margin:12px 0 0;color:var(--soft);font-size:14px}
.scroll{overflow-x:auto;-webkit-overflow-scrolling:touch}
table{border-collapse:collapse;min-width:min(100%,560px);font-size:14.5px;overflow-wrap:normal}
th{color:var(--soft);font-weight:550;font-size:13px;text-align:left;white-space:nowrap}
th,td{padding:7px 20px 7px 0;border-bottom:1px solid var(--rule);vertical-align:top}
td{unicode-bidi:plaintext;max-width:52ch;overflow-wrap:break-word}
tbody tr:last-child td{border-bottom:0}
.num{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
.num+:not(.num){padding-left:14px}
.none{color:var(--faint)}
pre{margin:0;padding:14px;max-height:480px;overflow:auto;background:var(--ground);border-radius:8px;
font:13px/1.45 ui-monospace,Menlo,Consolas,monospace}
.chart{display:block;width:100%;height:auto;margin:0 auto;font-family:inherit}
.chart text{fill:var(--soft);font-size:12px;font-variant-numeric:tabular-nums}
.chart .key{font-size:13px;fill:var(--ink)}.chart .name{font-size:12.5px}.chart .value{font-size:11px}
.mid{text-anchor:middle}.end{text-anchor:end}
.grid{stroke:var(--rule)}.base{stroke:var(--faint)}.diagonal{stroke:var(--faint);stroke-dasharray:4 4}
.cell{fill:var(--cell)}.gap{stroke:var(--card)}.chart .value.on{fill:var(--on)}.chart .value.off{fill:var(--ink)}
.chart .value.zero{fill:var(--faint)}
.line{fill:none;stroke-width:2;stroke-linejoin:round;stroke-linecap:round}.dash{stroke-dasharray:6 5}.band{opacity:.16;
stroke:none}
.whisker{stroke:var(--ink);stroke-width:1.3}
.c0{--c:var(--c0)}.c1{--c:var(--c1)}.c2{--c:var(--c2)}.c3{--c:var(--c3)}.c4{--c:var(--c4)}.c5{--c:var(--c5)}
.c6{--c:var(--c6)}.c7{--c:var(--c7)}
.fill,.band{fill:var(--c)}.line{stroke:var(--c)}
.gallery{display:grid;grid-template-columns:repeat(auto-fill,minmax(150px,1fr));gap:16px 14px}
.strips{grid-template-columns:repeat(auto-fill,minmax(min(100%,420px),1fr))}.strips img{aspect-ratio:auto}
figure{margin:0;min-width:0}
figure img{display:block;width:100%;aspect-ratio:1;object-fit:contain;background:var(--cell);border-radius:8px}
figure.good img{border-bottom:4px solid var(--good)}
figure.bad img{border-bottom:4px solid var(--bad)}
figcaption{margin-top:6px;font-size:13px;line-height:1.35;unicode-bidi:plaintext}
figcaption b{display:block;font-weight:580}figcaption span{display:block;color:var(--soft);unicode-bidi:plaintext}
.missing{display:grid;place-items:center;aspect-ratio:1;padding:10px;border:1px dashed var(--faint);border-radius:8px;
color:var(--soft);font-size:12px;text-align:center;overflow:hidden}
footer{margin-top:24px;color:var(--faint);font-size:13px}
@media(max-width:820px){main{grid-template-columns:minmax(0,1fr)}section,details{padding:16px}.tile .value{font-size:28px}
.tiles{grid-template-columns:repeat(auto-fill,minmax(150px,1fr));gap:10px}
.gallery:not(.strips){grid-template-columns:repeat(auto-fill,minmax(120px,1fr))}}
@media print{:root{--ground:#fff;--card:#fff;--ink:#000;--soft:#444;--faint:#777;--rule:#ccc;--cell:#f3f3f3;--on:#fff;
--c0:#2f6db5;--c1:#d9662f;
--c2:#2b9071;--c3:#9455b3;--c4:#c59a1a;--c5:#c74a78;--c6:#4aa3c4;--c7:#7c7468}
body{max-width:none;padding:0;font-size:11pt;-webkit-print-color-adjust:exact;print-color-adjust:exact}
section,.tile,figure,tr{break-inside:avoid}h2{break-after:avoid}.scroll,pre{overflow:visible;max-height:none}
.chart{min-width:0!important}details::details-content{content-visibility:visible;block-size:auto}}
"""
