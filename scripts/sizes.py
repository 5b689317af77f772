"""Print the largest modules; fail when one has more than 500 lines."""

import sys
from pathlib import Path

rows = sorted(((len(path.read_text().splitlines()), path) for path in Path("src").rglob("*.py")), reverse=True)
for lines, path in rows[:10]:
    print(f"{lines:5d}  {path}")
print(f"{sum(lines for lines, _ in rows):5d}  lines in {len(rows)} modules")
sys.exit(rows[0][0] > 500)
