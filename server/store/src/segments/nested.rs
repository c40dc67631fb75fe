//! Segments inside segments: their definitions are put in their place before anything is compiled.

use std::collections::{BTreeMap, BTreeSet};

use domain::{
    ids::SegmentId,
    segment::{Combinator, Group, Node, Operator, Rule},
};
use uuid::Uuid;

use super::compile::invalid;
use crate::{ConnectionTrait, Result, all};

/// How deep segments may use each other, and how many rules may come of it in all.
const MAX_LEVELS: usize = 5;
const MAX_RULES: usize = 1_000;

/// Why a definition cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NestingFault {
    #[error("There is no segment {0}.")]
    Missing(SegmentId),
    #[error("Segment {0} would contain itself. Take it out of one of the two.")]
    Cycle(SegmentId),
    #[error("Segments use each other more than {MAX_LEVELS} deep.")]
    TooDeep,
    #[error("With the segments inside, this is more than {MAX_RULES} rules.")]
    TooLarge,
}

impl NestingFault {
    /// Whether this rule names the segment that the fault is about.
    #[must_use]
    pub fn lies_in(&self, rule: &Rule) -> bool {
        match self {
            Self::Missing(id) | Self::Cycle(id) => ids(rule).is_some_and(|ids| ids.contains(id)),
            Self::TooDeep | Self::TooLarge => false,
        }
    }
}

/// The definition with every segment it names replaced by that segment's own definition. `own` is the segment the
/// definition belongs to, which must not come up inside it.
///
/// # Errors
/// What the database says; the inner error is for the person who wrote the definition.
pub async fn nest(
    db: &impl ConnectionTrait,
    definition: &Group,
    own: Option<SegmentId>,
) -> Result<Result<Group, NestingFault>> {
    let mut known = BTreeMap::new();
    let mut wanted = named(definition);
    for _ in 0..MAX_LEVELS {
        wanted.retain(|id| !known.contains_key(id));
        if wanted.is_empty() {
            break;
        }
        let found = load(db, &wanted).await?;
        if let Some(missing) = wanted.iter().find(|id| !found.contains_key(id)) {
            return Ok(Err(NestingFault::Missing(*missing)));
        }
        wanted = found.values().flat_map(named).collect();
        known.extend(found);
    }
    let mut inliner = Inliner { known: &known, trail: own.into_iter().collect(), rules: 0 };
    Ok(inliner.group(definition))
}

/// [`nest`] for a stored definition, where a fault is a damaged database: saving checks for them.
///
/// # Errors
/// What the database says, or that the definition cannot be used.
pub async fn inline(db: &impl ConnectionTrait, definition: &Group) -> Result<Group> {
    nest(db, definition, None).await?.map_err(|fault| invalid(fault.to_string()))
}

/// The segments that a definition names.
#[must_use]
pub fn named(definition: &Group) -> BTreeSet<SegmentId> {
    domain::segment::rules(definition).into_iter().flat_map(|(_, rule)| ids(rule).unwrap_or_default()).collect()
}

/// The ids in a rule about segments; none for other rules.
fn ids(rule: &Rule) -> Option<Vec<SegmentId>> {
    let id = |value: &serde_json::Value| value.as_str().and_then(|id| id.parse().ok());
    (rule.field == "segment").then(|| match &rule.value {
        serde_json::Value::Array(values) => values.iter().filter_map(id).collect(),
        value => id(value).into_iter().collect(),
    })
}

async fn load(db: &impl ConnectionTrait, ids: &BTreeSet<SegmentId>) -> Result<BTreeMap<SegmentId, Group>> {
    let places: Vec<String> = (1..=ids.len()).map(|place| format!("${place}")).collect();
    let query = format!("SELECT id, definition FROM segments WHERE id IN ({})", places.join(", "));
    let rows = all(db, query, ids.iter().map(|id| id.0.into()).collect()).await?;
    rows.iter().map(|row| Ok((SegmentId(row.get::<Uuid>("id")?), row.json("definition")?))).collect()
}

struct Inliner<'a> {
    known: &'a BTreeMap<SegmentId, Group>,
    /// The segments that the place at hand lies in.
    trail: Vec<SegmentId>,
    rules: usize,
}

impl Inliner<'_> {
    fn group(&mut self, group: &Group) -> Result<Group, NestingFault> {
        let rules = group.rules.iter().map(|node| self.node(node)).collect::<Result<_, _>>()?;
        Ok(Group { combinator: group.combinator, not: group.not, rules })
    }

    fn node(&mut self, node: &Node) -> Result<Node, NestingFault> {
        self.rules += 1;
        if self.rules > MAX_RULES {
            return Err(NestingFault::TooLarge);
        }
        match node {
            Node::Group(group) => self.group(group).map(Node::Group),
            Node::Rule(rule) => match ids(rule) {
                None => Ok(Node::Rule(rule.clone())),
                Some(ids) => {
                    let rules = ids.into_iter().map(|id| self.segment(id)).collect::<Result<_, _>>()?;
                    let not = matches!(rule.operator, Operator::NotEqual | Operator::NotIn);
                    Ok(Node::Group(Group { combinator: Combinator::Or, not, rules }))
                }
            },
        }
    }

    fn segment(&mut self, id: SegmentId) -> Result<Node, NestingFault> {
        if self.trail.contains(&id) {
            return Err(NestingFault::Cycle(id));
        }
        if self.trail.len() > MAX_LEVELS {
            return Err(NestingFault::TooDeep);
        }
        let group = self.known.get(&id).ok_or(NestingFault::TooDeep)?;
        self.trail.push(id);
        let inlined = self.group(group);
        self.trail.pop();
        inlined.map(Node::Group)
    }
}
