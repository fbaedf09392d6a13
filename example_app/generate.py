"""Make up an insurance table with the columns of the well-known one, which cannot be shipped."""

import numpy as np
import pandas as pd

REGIONS = ("northeast", "northwest", "southeast", "southwest")


def generate(rows: int = 1338, seed: int = 0) -> pd.DataFrame:
    """Return `rows` people who do not exist: age, sex, bmi, children, smoker, region, and charges in dollars a year.

    The same rows and seed give the same table. What the charges are made of:

    - age: 3.30 dollars times its square, on a base of 1,300 dollars
    - children: 550 dollars each
    - sex: 300 dollars more for women
    - region: 900 dollars more in the northeast, 600 in the northwest (bmi is 2.5 higher in the southeast)
    - bmi: 25 dollars for each kg/m² above 25, for everybody
    - smoking, which acts together with bmi: 12,500 dollars, 450 more for each kg/m² above 25, and 11,000 more from
      a bmi of 30 on
    - chance: all of this times a factor within about ± 8 %, and for one person in eleven a stay in hospital of
      9,000 dollars on average, which nothing in the table foretells
    """
    random = np.random.default_rng(seed)
    age = random.integers(18, 65, rows)
    sex = random.choice(["female", "male"], rows)
    region = random.choice(REGIONS, rows, p=[0.24, 0.24, 0.28, 0.24])
    bmi = random.normal(30, 6, rows) + 2.5 * (region == "southeast")
    bmi = bmi.clip(16, 53).round(1)
    children = random.choice(6, rows, p=[0.43, 0.24, 0.18, 0.12, 0.02, 0.01])
    smoker = random.choice(["no", "yes"], rows, p=[0.795, 0.205])

    expected = 1300 + 3.3 * age**2 + 550 * children + 300 * (sex == "female") + 25 * (bmi - 25)
    expected += 900 * (region == "northeast") + 600 * (region == "northwest")
    expected += (smoker == "yes") * (12_500 + 450 * (bmi - 25) + 11_000 * (bmi >= 30))
    hospital = (random.random(rows) < 1 / 11) * random.gamma(2, 4500, rows)
    charges = (expected * random.normal(1, 0.08, rows) + hospital).round(2)
    columns = {"age": age, "sex": sex, "bmi": bmi, "children": children, "smoker": smoker, "region": region}
    return pd.DataFrame({**columns, "charges": charges})
