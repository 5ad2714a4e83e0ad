//! The one error type of the crate. Every message names the thing and what to do about it.

/// The crate's result.
pub type Result<T> = std::result::Result<T, Error>;

/// Everything that can go wrong between a specification and a plan.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    // -- specifications such as `heun:s_churn=40` --------------------------------------------------------------
    /// No solver, path or grid rule has this name.
    #[error("unknown {kind} `{name}`; {hint}")]
    UnknownName {
        /// What was looked up: `solver`, `path` or `grid rule`.
        kind: &'static str,
        /// The name as given.
        name: String,
        /// The nearest name and the list of all.
        hint: String,
    },
    /// The thing exists but has no such parameter.
    #[error("{owner} has no parameter `{key}`; {hint}")]
    UnknownParam {
        /// The thing with its kind, for example ``solver `ddim` ``.
        owner: String,
        /// The parameter as given.
        key: String,
        /// The nearest parameter and the list of all.
        hint: String,
    },
    /// A piece between colons is not `key=value`.
    #[error("{owner}: `{text}` is not a parameter; write `name:key=value:key=value`")]
    BadSpec {
        /// The thing with its kind.
        owner: String,
        /// The offending piece.
        text: String,
    },
    /// A parameter occurs twice.
    #[error("{owner}: parameter `{key}` is given twice; keep one")]
    RepeatedParam {
        /// The thing with its kind.
        owner: String,
        /// The parameter.
        key: String,
    },
    /// A parameter's value cannot be read or is out of range.
    #[error("{owner}: `{key}={value}` is not allowed; give {expected}")]
    BadParam {
        /// The thing with its kind.
        owner: String,
        /// The parameter.
        key: String,
        /// The value as given.
        value: String,
        /// What would be accepted.
        expected: String,
    },

    // -- grids ------------------------------------------------------------------------------------------------
    /// A step count that this rule cannot serve.
    #[error("grid rule `{rule}` cannot make {steps} steps; {hint}")]
    Steps {
        /// The rule.
        rule: String,
        /// The step count asked for.
        steps: usize,
        /// What would work.
        hint: String,
    },
    /// A time that the path does not have.
    #[error("t = {t} lies outside path `{path}`; use times from {lo} to {hi}")]
    TimeOutside {
        /// The time.
        t: f64,
        /// The path.
        path: String,
        /// Smallest time of the path.
        lo: f64,
        /// Largest time of the path.
        hi: f64,
    },
    /// The limits of a grid are the wrong way round or equal.
    #[error("a grid must start above its end, but t_max = {t_max} and t_min = {t_min}; swap or widen them")]
    EmptyRange {
        /// The start.
        t_max: f64,
        /// The end.
        t_min: f64,
    },
    /// A time is NaN or infinite.
    #[error("grid time {index} is {t}; give a finite number")]
    TimeNotFinite {
        /// Position in the list.
        index: usize,
        /// The value.
        t: f64,
    },
    /// Two nodes stand at the same time, so that a step would have zero length.
    #[error("grid times {first} and {second} are both {t}; remove one of them")]
    DuplicateTime {
        /// Position of the first.
        first: usize,
        /// Position of the second.
        second: usize,
        /// Their common time.
        t: f64,
    },
    /// A time is not below the one before it.
    #[error("grid time {index} is {t}, not below the {before} before it; list the times from noise to data")]
    NotDecreasing {
        /// Position of the later one.
        index: usize,
        /// The later one.
        t: f64,
        /// The earlier one.
        before: f64,
    },
    /// Two neighbouring nodes differ in time but not in noise level.
    #[error(
        "grid times {index} ({t}) and the one before it ({before}) have the same noise level; space them wider"
    )]
    TooClose {
        /// Position of the later one.
        index: usize,
        /// The later one.
        t: f64,
        /// The earlier one.
        before: f64,
    },
    /// Fewer than two nodes.
    #[error("a grid needs at least 2 nodes, got {found}; add the time where the sampler should end")]
    TooFewNodes {
        /// How many there were.
        found: usize,
    },
    /// The rule spaces nodes in a quantity that is infinite at a limit.
    #[error(
        "grid rule `{rule}` needs a finite log-SNR, but it is infinite on path `{path}` at t = {t}; \
         pass {limit} explicitly, away from that end, or use `uniform-t`"
    )]
    InfiniteLogSnr {
        /// The rule.
        rule: String,
        /// The path.
        path: String,
        /// The limit at which it is infinite.
        t: f64,
        /// Which limit: `t_max` or `t_min`.
        limit: &'static str,
    },
    /// An integer rule on a path without a table.
    #[error(
        "grid rule `{rule}` counts rows of a discrete table, and path `{path}` has none; use `uniform-t`"
    )]
    NeedsTable {
        /// The rule.
        rule: String,
        /// The path.
        path: String,
    },
    /// A rule on a path for which it was not made.
    #[error("grid rule `{rule}` does not suit path `{path}`: {reason}")]
    Unsuitable {
        /// The rule.
        rule: String,
        /// The path.
        path: String,
        /// What does not fit, and what would.
        reason: String,
    },
    /// A shift on a rule that takes none, or a second one.
    #[error("grid rule `{rule}` cannot be shifted; {hint}")]
    CannotShift {
        /// The rule.
        rule: String,
        /// Why, and what to do.
        hint: String,
    },
    /// A value of a list that the path does not have.
    #[error(
        "{quantity} {index} of the grid is {value}, which path `{path}` does not reach; use values from {lo} to {hi}"
    )]
    LevelOutside {
        /// `sigma` or `lambda`.
        quantity: &'static str,
        /// Position in the list.
        index: usize,
        /// The value.
        value: f64,
        /// The path.
        path: String,
        /// Smallest value of the path.
        lo: f64,
        /// Largest value of the path.
        hi: f64,
    },
    /// A part of a grid that it does not have.
    #[error("cannot take nodes {from} to {to} of a grid of {steps} steps; give 0 <= from < to <= {steps}")]
    Slice {
        /// First node.
        from: usize,
        /// Last node.
        to: usize,
        /// Steps of the whole grid.
        steps: usize,
    },
    /// A strength of image-to-image that is no share.
    #[error("strength {strength} is not allowed; give a number above 0 and at most 1")]
    Strength {
        /// The value.
        strength: f64,
    },
    /// Limits were passed to a rule that fixes its own.
    #[error("grid rule `{rule}` fixes its own times; drop t_max and t_min, or use `linspace` or `uniform-t`")]
    NoLimits {
        /// The rule.
        rule: String,
    },

    // -- plans ------------------------------------------------------------------------------------------------
    /// A coefficient came out NaN or infinite.
    #[error(
        "solver `{solver}` has the coefficient {value} in step {step}; \
         the grid reaches a point where its formula has no finite value: move t_max or t_min"
    )]
    NotFinite {
        /// The solver.
        solver: String,
        /// The step, from 0.
        step: usize,
        /// The coefficient.
        value: f64,
    },
    /// A solver that needs another grid than the one it got.
    #[error("solver `{solver}` cannot run on this grid: {reason}")]
    Unsuited {
        /// The solver.
        solver: String,
        /// What it lacks, and what would do.
        reason: String,
    },
    /// A plan that breaks one of its rules.
    #[error("invalid plan: {reason}")]
    InvalidPlan {
        /// Which rule, where, and what would satisfy it.
        reason: String,
    },
    /// A plan of another schema version.
    #[error(
        "plan version {found} is not supported; this build reads version {supported}: make the plan again"
    )]
    PlanVersion {
        /// The version in the file.
        found: u64,
        /// The version that this build reads.
        supported: u32,
    },
    /// Text that is not a plan at all.
    #[error("not a plan: {reason}; see docs/plan-schema.md")]
    PlanSyntax {
        /// What the JSON reader found, with line and column.
        reason: String,
    },

    // -- other libraries --------------------------------------------------------------------------------------
    /// A sampler of another library crashes, returns NaN or does not move in this setting.
    #[error("diffusers' {owner} {reason}; {remedy}")]
    Compat {
        /// The thing with its kind, for example ``scheduler `unipc` ``.
        owner: String,
        /// What it does there.
        reason: String,
        /// What to ask for instead.
        remedy: String,
    },

    // -- running ----------------------------------------------------------------------------------------------
    /// A vector of the wrong length reached the interpreter.
    #[error("{what} has length {found}, the state has {expected}; make them equal")]
    Length {
        /// Whose vector.
        what: &'static str,
        /// Its length.
        found: usize,
        /// The length of the state.
        expected: usize,
    },
    /// A machine answered a batch with another number of values.
    #[error(
        "the machine returned {found} {what} for {expected} questions; it must answer each, in their order"
    )]
    Answers {
        /// What was asked for.
        what: &'static str,
        /// How many came back.
        found: usize,
        /// How many were asked for.
        expected: usize,
    },
    /// The error of a dynamic step is no number.
    #[error(
        "solver `{solver}` cannot judge its step: the error of image {image} after t = {t} is {value}; \
         the network's output is not finite there: check its weights, or start and end inside its range"
    )]
    ErrorNorm {
        /// The solver.
        solver: String,
        /// The image, from 0.
        image: usize,
        /// Where the step started.
        t: f64,
        /// The error.
        value: f64,
    },
    /// An image needs more evaluations than it may use.
    #[error(
        "solver `{solver}` has used up {nfe} evaluations for image {image} and stands at t = {t}; \
         raise max_nfe, atol or rtol"
    )]
    Budget {
        /// The solver.
        solver: String,
        /// The image, from 0.
        image: usize,
        /// The evaluations.
        nfe: usize,
        /// Where the image stands.
        t: f64,
    },
    /// The tolerance asks for steps that the time cannot resolve.
    #[error(
        "solver `{solver}` cannot shorten the step of image {image} at t = {t} any further; raise atol or rtol"
    )]
    StepTooShort {
        /// The solver.
        solver: String,
        /// The image, from 0.
        image: usize,
        /// Where the image stands.
        t: f64,
    },
    /// A mixture with a bad component.
    #[error(
        "mixture component {index} is unusable; give a positive weight, a finite mean, a positive deviation"
    )]
    BadMixture {
        /// Position of the component.
        index: usize,
    },
}
