//! Which rules are in force: those of a level, with more and fewer by name.

use super::{Canon, Level, RULES, Rule};
use crate::error::{Error, Result};

/// The rules in force.
#[derive(Clone, Debug)]
pub struct Active {
    rules: Vec<&'static Rule>,
}

impl Active {
    /// The rules of `level`.
    pub fn new(level: Level) -> Active {
        let of_level = |rule: &&Rule| rule.level.is_some_and(|least| least <= level);
        Active { rules: RULES.iter().filter(of_level).collect() }
    }

    /// Adds the rule `id`, whatever its level.
    ///
    /// # Errors
    /// A usage error if there is no such rule, or if it is not switched by its name.
    pub fn add(&mut self, id: &str) -> Result<()> {
        let rule = find(id)?;
        if !self.has(id) {
            self.rules.push(rule);
        }
        Ok(())
    }

    /// Takes the rule `id` away.
    ///
    /// # Errors
    /// A usage error if there is no such rule, or if it is not switched by its name.
    pub fn remove(&mut self, id: &str) -> Result<()> {
        let rule = find(id)?;
        self.rules.retain(|active| active.id != rule.id);
        Ok(())
    }

    /// Whether the rule `id` is in force.
    pub fn has(&self, id: &str) -> bool {
        self.rules.iter().any(|rule| rule.id == id)
    }

    /// Whether a rule that limits times is in force, for which SOURCE_DATE_EPOCH is needed.
    pub fn limits_times(&self) -> bool {
        self.rules.iter().any(|rule| rule.level == Some(Level::Clamp))
    }

    /// The rules in force.
    pub fn rules(&self) -> impl Iterator<Item = &'static Rule> {
        self.rules.iter().copied()
    }
}

fn find(id: &str) -> Result<&'static Rule> {
    let rule = Rule::by_id(id).ok_or_else(|| {
        let message = format!("no rule is called {}; see --list-rules", crate::escape::escape(id.as_bytes()));
        Error::usage(message)
    })?;
    match rule.canon {
        Canon::Fixed(why) => {
            Err(Error::usage(format!("{id} cannot be switched on or off by its name: {why}")))
        }
        _ => Ok(rule),
    }
}
