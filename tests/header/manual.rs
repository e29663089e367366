//! What every entry of the header's manual must have.

use super::order::Item;

/// A function, its comment taken apart.
pub struct Entry<'a> {
    pub name: &'a str,
    comment: &'a str,
    /// What it returns, without `nsws_...(`.
    returned: &'a str,
    /// Type and name of each.
    parameters: Vec<(&'a str, &'a str)>,
}

impl<'a> Entry<'a> {
    /// `None` for what is no function.
    pub fn of(item: &'a Item) -> Option<Entry<'a>> {
        let (comment, code) = item.text.split_once("*/\n")?;
        let (returned, rest) = code.split_once(item.name.as_str())?;
        if returned.starts_with("typedef") || returned.starts_with("#define") {
            return None;
        }
        let list = rest.strip_prefix('(')?.strip_suffix(");")?;
        let parameters = list.split(',').map(str::trim).filter(|parameter| *parameter != "void");
        let parameters = parameters.filter_map(|parameter| {
            let name = parameter.rfind([' ', '*'])? + 1;
            parameter.split_at_checked(name)
        });
        Some(Entry { name: &item.name, comment, returned: returned.trim(), parameters: parameters.collect() })
    }

    /// The text behind each of these commands, up to the next command.
    fn told(&self, command: &str) -> Vec<String> {
        let commands = self.comment.split("\n * @").skip(1);
        let told = commands.filter_map(|text| text.strip_prefix(command)?.strip_prefix(' '));
        told.map(|text| text.split_whitespace().filter(|word| *word != "*").collect::<Vec<_>>().join(" "))
            .collect()
    }

    /// What is missing or wrong.
    pub fn complaints(&self) -> Vec<String> {
        let mut complaints = Vec::new();
        let mut demand = |is_so: bool, what: &str| {
            if !is_so {
                complaints.push(format!("{}: {what}", self.name));
            }
        };
        let described = self.told("param");
        let described: Vec<_> =
            described.iter().filter_map(|text| text.split_once(' ')).map(|(name, _)| name).collect();
        let taken: Vec<_> = self.parameters.iter().map(|(_, name)| *name).collect();
        demand(described == taken, "@param describes other parameters, or in another order");
        demand(self.told("note").len() == 1, "there is no @note about threads");
        demand(
            matches!(&*self.told("since"), [version] if version == "0.1" || version == "0.2"),
            "@since is missing",
        );
        let returns = self.told("return");
        let [returns] = &*returns else {
            demand(false, "@return is missing");
            return complaints;
        };
        if self.returned != "int32_t" {
            return complaints;
        }
        let codes: Vec<_> =
            returns.split("; ").map(|code| code.split(':').next().unwrap_or_default()).collect();
        let has = |code: &str| codes.contains(&code);
        let takes_handle = self
            .parameters
            .iter()
            .any(|(kind, _)| ["nsws_client ", "nsws_server ", "nsws_connection "].contains(kind));
        let takes_pointer =
            self.parameters.iter().any(|(kind, name)| kind.ends_with('*') && *name != "user_data");
        demand(codes.first() == Some(&"NSWS_OK"), "@return does not begin with NSWS_OK");
        demand(
            codes.ends_with(&["NSWS_ERR_FORKED", "NSWS_ERR_INTERNAL"]),
            "@return does not end with what all answer",
        );
        demand(has("NSWS_ERR_BAD_HANDLE") == takes_handle, "NSWS_ERR_BAD_HANDLE goes with a handle");
        demand(!takes_pointer || has("NSWS_ERR_PARAMETER"), "a pointer can be NULL: NSWS_ERR_PARAMETER");
        let mut once = codes.clone();
        once.sort_unstable();
        once.dedup();
        demand(once.len() == codes.len(), "@return lists a code twice");
        let of_ours = |code: &&str| code.starts_with("NSWS_ERR_") || *code == "NSWS_OK";
        demand(codes.iter().all(of_ours), "@return lists what is no code");
        complaints
    }
}

/// Lines of comments that give a code as a number, not by its name.
pub fn bare_codes(item: &Item) -> Vec<&str> {
    let comments = item.text.lines().filter(|line| line.trim_start().starts_with(['*', '/']));
    let is_code =
        |word: &str| word == "201" || word == "401" || (word.len() == 7 && word.starts_with("2302"));
    comments.filter(|line| line.split(|c: char| !c.is_alphanumeric()).any(is_code)).collect()
}
