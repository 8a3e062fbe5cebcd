//! OpenFeature's SDK for Rust with its OFREP provider, against the proxy whose address is the argument.

use open_feature::{
    Client, EvaluationContext, EvaluationErrorCode, EvaluationReason, OpenFeature, StructValue, Value,
};
use open_feature_ofrep::{OfrepOptions, OfrepProvider};
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue};

#[tokio::main]
async fn main() {
    let base_url = std::env::args().nth(1).expect("the proxy's address is the argument");
    let headers = HeaderMap::from_iter([(AUTHORIZATION, HeaderValue::from_static("Bearer change-me"))]);
    let options = OfrepOptions { base_url, headers, ..OfrepOptions::default() };
    let mut api = OpenFeature::singleton_mut().await;
    api.set_provider(OfrepProvider::new(options).await.expect("a provider")).await;
    let client = api.create_client();
    drop(api);
    values(&client).await;
    errors(&client).await;
}

async fn values(client: &Client) {
    let bob = EvaluationContext::default().with_targeting_key("bob");
    let greeting = client.get_string_details("greeting", Some(&bob), None).await.expect("a string");
    assert_eq!((greeting.value.as_str(), greeting.variant.as_deref()), ("Hello.", Some("plain")));
    assert_eq!(greeting.reason, Some(EvaluationReason::Static));
    assert_eq!(client.get_bool_value("special", Some(&bob), None).await, Ok(false));
    assert_eq!(client.get_int_value("limit", Some(&bob), None).await, Ok(3));
    assert_eq!(client.get_float_value("ratio", Some(&bob), None).await, Ok(0.5));
    let theme = client.get_struct_value::<StructValue>("theme", Some(&bob), None).await.expect("an object");
    assert_eq!(theme.fields.get("colour"), Some(&Value::String("black".to_owned())));

    let insider = bob.with_custom_field("email", "bob@example.com");
    // This provider calls every reason static.
    assert_eq!(client.get_bool_value("special", Some(&insider), None).await, Ok(true));
    let ada = EvaluationContext::default().with_targeting_key("ada");
    assert_eq!(client.get_int_value("limit", Some(&ada), None).await, Ok(1000));
}

/// In Rust the caller's default is what it does with an error; an answer without a value is one.
async fn errors(client: &Client) {
    for (flag, code) in [
        ("no-such-flag", Some(EvaluationErrorCode::FlagNotFound)),
        // Whatever is wrong with a request or a rule is the context, to this provider.
        ("broken", Some(EvaluationErrorCode::InvalidContext)),
        ("theme", None),
        ("retired", None),
        ("undecided", None),
    ] {
        let error = client.get_bool_value(flag, None, None).await.expect_err(flag);
        if let Some(code) = code {
            assert_eq!(error.code, code, "{flag}: {error:?}");
        }
    }
}
