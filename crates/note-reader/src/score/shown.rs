//! The scores as a table to be read.

use std::fmt;

use super::{DESK_ELECTRICAL, Scores, Share};

impl fmt::Display for Scores {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [[other, other_three], [electrical, electrical_three]] = self.top;
        let both =
            |one: Share, two: Share| Share { right: one.right + two.right, of: one.of + two.of }.value();
        let desk = (1.0 - DESK_ELECTRICAL) * other.value() + DESK_ELECTRICAL * electrical.value();
        writeln!(f, "notes                       {}", self.notes)?;
        writeln!(
            f,
            "single object: top-1        {:.3} (electrical {:.3}, other {:.3}, desk {desk:.3})",
            both(other, electrical),
            electrical.value(),
            other.value()
        )?;
        writeln!(f, "single object: top-3        {:.3}", both(other_three, electrical_three))?;
        writeln!(f, "items: F1                   {:.3} (desk {:.3})", self.items.f1(), self.desk_f1())?;
        writeln!(f, "items: F1 on category       {:.3}", self.categories.f1())?;
        writeln!(f, "weights: F1                 {:.3}", self.weights.f1())?;
        writeln!(f, "totals: F1                  {:.3} of {}", self.totals.f1(), self.totals.labelled)?;
        writeln!(f, "whole notes right           {:.3}", self.whole.value())?;
        writeln!(
            f,
            "not electrical              recall {:.3}, precision {:.3}",
            self.other.recall(),
            self.other.precision()
        )?;
        writeln!(
            f,
            "electrical                  recall {:.3}, precision {:.3}",
            self.electrical.recall(),
            self.electrical.precision()
        )?;
        writeln!(
            f,
            "destination where spoken    {:.3} of {}",
            self.destinations.value(),
            self.destinations.of
        )?;
        writeln!(
            f,
            "redirected                  recall {:.3}, precision {:.3}",
            self.redirected.recall(),
            self.redirected.precision()
        )?;
        writeln!(
            f,
            "no deposit                  recall {:.3}, precision {:.3}, deposits taken for chat {}",
            self.chat.recall(),
            self.chat.precision(),
            self.lost
        )?;
        write!(f, "right by confidence        ")?;
        for (tenth, share) in self.sure.iter().enumerate().filter(|(_, share)| share.of > 0.0) {
            write!(f, " {:.1}: {:.2} of {}", tenth as f64 / 10.0, share.value(), share.of)?;
        }
        let sure = self
            .sure
            .iter()
            .skip(7)
            .fold(Share::default(), |all, bin| Share { right: all.right + bin.right, of: all.of + bin.of });
        write!(f, "\nright where sure            {:.3} of {}", sure.value(), sure.of)
    }
}
